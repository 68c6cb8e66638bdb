//! `bowline probe`: what a WebSocket server, and the path to it, can do.
//!
//! ```text
//!  target ──▶ link     opens, pings, closes
//!         ──▶ largest  messages of growing size, until one is refused
//!         ──▶ idle     silences in parallel, chosen by a search, until the longest that is survived is known
//! ```
//!
//! Each part finds out one thing, and `tell` reports it as soon as it is known.

mod idle;
mod largest;
mod link;
mod search;
mod tell;

use crate::args::Probe;
use crate::exit::{Exit, Trouble};
use crate::signals::Interrupt;
use crate::target::Target;
use bowline_core::Retry;
use bowline_core::transfer::SUBPROTOCOL;
use bowline_tokio::DialError;
use tell::{Finding, Teller, Untried};

pub(crate) async fn run(args: Probe, interrupt: Interrupt) -> Result<(), Trouble> {
    let target = Target::new(&args.url, &args.subprotocol, &args.way, args.output.quiet, args.timeout)?;
    let mut teller = Teller::new(&args);
    tokio::select! {
        outcome = look(&args, &target, &mut teller) => outcome,
        () = interrupt.come() => {
            Err(Trouble::new(Exit::Interrupted, "interrupted; what was found stands above"))
        }
    }
}

async fn look(args: &Probe, target: &Target, teller: &mut Teller) -> Result<(), Trouble> {
    teller.doing("connecting");
    let (mut link, opened) = link::open(target).await.map_err(|e| unreachable(&e))?;
    let is_bowline = opened.subprotocol.as_deref() == Some(SUBPROTOCOL);
    teller.tell(&Finding::Open(opened));
    teller.doing("sending pings");
    teller.tell(&Finding::Pings(link.ping(args.pings).await));
    teller.doing("closing");
    teller.tell(&Finding::Close(link.close().await));
    if is_bowline && args.largest.is_some() {
        teller.tell(&Finding::NoMessages(Untried::Subprotocol));
    } else if let Some(most) = args.largest {
        let found = largest::search(target, most, teller).await.map_err(|e| unreachable(&e))?;
        teller.tell(&found.map_or(Finding::NoMessages(Untried::Mute), Finding::Largest));
    }
    if args.idle {
        let found = idle::search(target, args.max, teller).await.map_err(|e| unreachable(&e))?;
        teller.tell(&Finding::Idle(found));
    }
    Ok(())
}

/// A server that is out of reach may be reached later; one that refuses us will not accept us then, either.
fn unreachable(error: &DialError) -> Trouble {
    let exit = if let Retry::No(_) = error.retry() { Exit::Failed } else { Exit::Unreachable };
    Trouble::new(exit, error)
}
