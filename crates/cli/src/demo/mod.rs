//! `bowline demo`: a file survives a hostile network, on this machine alone.
//!
//! ```text
//!  client ◀──▶ link (slows, stalls, cuts, goes silent) ◀──▶ server
//! ```
//!
//! Client and server are the ones behind `send` and `serve`. Only their heartbeat is faster, so that nobody has to wait
//! long until a dead connection is detected.

mod file;
mod link;
mod plan;
mod scene;
mod view;

use crate::args::Demo;
use crate::exit::{Exit, Trouble};
use crate::signals::Interrupt;
use crate::story::Story;
use crate::units::{Rate, Size};
use plan::{Plan, Way};
use scene::Scene;
use std::io;
use std::path::Path;
use view::{Crossing, Outcome, View, Who};

pub(crate) async fn run(args: Demo, interrupt: Interrupt) -> Result<(), Trouble> {
    // Removed when this function returns, however it returns.
    let folder = tempfile::Builder::new().prefix("bowline-demo-").tempdir();
    let folder = folder
        .map_err(|e| Trouble::failed(format!("no temporary folder: {e}; set TMPDIR to another one")))?;
    tokio::select! {
        outcome = perform(&args, folder.path()) => outcome,
        () = interrupt.come() => Err(Trouble::new(Exit::Interrupted, "interrupted; nothing is left behind")),
    }
}

async fn perform(args: &Demo, folder: &Path) -> Result<(), Trouble> {
    let Demo { size, seed, output, .. } = *args;
    let mut view = View::new(output);
    let (up, down) = (Plan::draw(Way::Up, size, seed), Plan::draw(Way::Down, size, seed));
    let rate = Rate { bytes: up.rate, seconds: 1.0 };
    view.say(Who::Demo, &format!("{} of random bytes, up to a server and down again", Size(size)));
    view.say(Who::Demo, &format!("the link between them carries {rate}, and breaks all the time"));

    let (first, back) = (folder.join("first.bin"), folder.join("back.bin"));
    let original = file::make(first.clone(), size, seed).await.map_err(|e| disk(&e))?;
    let title = format!("{} there and back", Size(size));
    let story = Story::new(&args.record, "demo", title, "a server on this machine, behind a bad link")?;
    let mut scene = Scene::set(&folder.join("server"), up, story).await?;
    view.say(Who::Demo, "up it goes");
    let finished = scene.send(&first, &mut view).await?;
    let up = Crossing { finished, carried: scene.carried() };
    view.say(Who::Demo, "down it comes");
    let finished = scene.fetch(&back, down, &mut view).await?;
    let down = Crossing { finished, carried: scene.carried() };
    let story = scene.strike().await;

    let back = file::digest(back).await.map_err(|e| disk(&e))?;
    let outcome = Outcome { original, back, bytes: size, up, down };
    view.finish(&outcome);
    story.tell()?;
    if outcome.is_equal() {
        Ok(())
    } else {
        Err(Trouble::failed("the digests differ; this must never happen, so please report it"))
    }
}

fn disk(error: &io::Error) -> Trouble {
    Trouble::failed(format!("the temporary folder cannot be used: {error}; set TMPDIR to another one"))
}
