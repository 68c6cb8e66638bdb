//! `bowline watch`: keeps a connection open, and shows what happens to it.
//!
//! `keeper` dials, redials and pings like a client; `view` shows what happens: one line per event and, on a terminal, a
//! line below them with the current state.

mod keeper;
mod view;

use crate::args::{Record, Watch};
use crate::exit::Trouble;
use crate::memory::Memory;
use crate::signals::Interrupt;
use crate::stdout;
use crate::story::Story;
use crate::target::Target;
use keeper::Keeper;
use view::View;

pub(crate) async fn run(args: Watch, interrupt: Interrupt) -> Result<(), Trouble> {
    let patience = args.reach.dial(args.beat.timeout);
    let target = Target::new(&args.url, &args.subprotocol, &args.way, args.output.quiet, patience)?;
    let memory = Memory::of_user();
    let server = args.way.server(&args.url);
    let mut keeper = Keeper::new(target, &args, memory.paths(), &server)?;
    let record = Record { explain: args.explain, report: None };
    let mut view = View::new(args.output, Story::new(&record, "watch", String::new(), &server)?);
    let until = async {
        match args.span {
            Some(span) => tokio::time::sleep(span).await,
            None => std::future::pending().await,
        }
    };
    let why = tokio::select! {
        why = keeper.keep(&mut view) => Some(why),
        () = interrupt.come() => None,
        () = until => None,
        // A watch is for its reader alone.
        () = stdout::lost() => None,
    };
    keeper.close(&mut view).await;
    memory.save();
    view.finish();
    match why {
        Some(why) => Err(why),
        // The user has stopped it, or reads no more.
        None => Ok(()),
    }
}
