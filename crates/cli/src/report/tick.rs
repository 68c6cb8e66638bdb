//! How far everything has got, several times a second.

use super::bar::Mood;
use super::still::Silence;
use super::{NEWS, Report, State, Voice, json};
use bowline_core::transfer::Stage;
use bowline_tokio::LinkState;
use std::mem;
use std::time::Instant;

impl Report {
    /// Checks every file, and shows how far it has got.
    pub(crate) fn tick(&mut self, link: &LinkState) {
        self.story.tick();
        let now = Instant::now();
        let (mut position, mut total, mut moved) =
            (self.sums.bytes, self.sums.bytes + self.sums.lost_bytes, mem::take(&mut self.over));
        let (mut moving, mut finishing, mut paused, mut waiting, mut under) = (0, 0, 0, 0, 0);
        let (mut endless, mut is_further) = (false, mem::take(&mut self.is_further));
        for row in self.rows.values_mut() {
            match &mut row.state {
                State::Queued => {}
                State::Under { progress, pace, most, open, .. } => {
                    let progress = *progress.borrow_and_update();
                    row.bytes = row.bytes.max(progress.length.unwrap_or(0));
                    *open |= progress.length.is_none() && progress.received > 0;
                    endless |= *open;
                    is_further |= progress.received > *most;
                    *most = progress.received.max(*most);
                    position += if *open { progress.received } else { progress.received.min(row.bytes) };
                    moved += pace.look(&progress);
                    under += 1;
                    moving += u32::from(progress.stage == Stage::Moving);
                    finishing += u32::from(progress.stage == Stage::Finishing);
                    paused += u32::from(matches!(progress.stage, Stage::Paused { .. }));
                    waiting += u32::from(progress.stage == Stage::Waiting);
                }
            }
            total += row.bytes;
        }
        total = total.max(self.sums.expected_bytes);
        if moved > 0 {
            self.moved = now;
        }
        let is_up = matches!(link, LinkState::Up);
        self.still.look(now, is_up, self.moved, paused + waiting == under);
        let silence = self.still.silence(now, !endless && moving == under);
        match self.voice {
            Voice::Json => self.tell_programs(now, silence),
            Voice::Lines => self.still.news(silence).map_or((), |silence| self.say(&silence.text())),
            Voice::Bar(_) | Voice::Nobody => {}
        }
        if is_further {
            self.stuck.handle_further(now, waiting > 0);
        }
        self.stuck.look(now, is_up, paused > 0);
        let (outage, wait) = (self.still.outage(now), self.stuck.wait(now));
        let now = (now - self.began).into();
        match link {
            LinkState::Up => self.meter.handle_moved(now, moved),
            // What matters is how fast a link is while there is one.
            _ => self.meter.stop(),
        }
        let Voice::Bar(bar) = &self.voice else { return };
        if self.is_many() {
            bar.set_title(&self.sums.title());
        }
        let mood = Mood::of(link, outage).unwrap_or(if under > 0 && finishing == under {
            Mood::Finishing { silence }
        } else if under > 0 && paused == under {
            Mood::Paused
        } else if waiting == under && (under > 0 || self.delayed.is_some()) {
            Mood::Waiting { wait }
        } else if let Some(silence) = silence {
            Mood::Still { silence }
        } else if endless {
            Mood::Flowing { rate: self.meter.rate(now).unwrap_or_default() }
        } else {
            let left = self.meter.time_for(now, total.saturating_sub(position));
            Mood::Moving { verb: self.verb.now, rate: self.meter.rate(now).unwrap_or_default(), left }
        });
        bar.draw(position, (!endless).then_some(total), &mood);
    }

    /// Reports how far each file has got, if it is time.
    fn tell_programs(&mut self, now: Instant, silence: Option<Silence>) {
        for row in self.rows.values_mut() {
            let State::Under { progress, told, .. } = &mut row.state else { continue };
            let progress = *progress.borrow();
            if told.is_none_or(|(at, stage)| now - at >= NEWS || stage != progress.stage) {
                *told = Some((now, progress.stage));
                json::progress(&row.name, &progress, silence).print();
            }
        }
    }
}
