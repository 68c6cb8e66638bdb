//! Threads that write to streams, so that a slow reader, or one that does not read at all, delays no connection.

use std::io::IsTerminal;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;

/// How many bytes may wait to be written.
const MOST: usize = 1 << 20;

/// Writes to a stream: on a thread, unless the stream is a terminal. Output to a terminal is written at once, between
/// the bars that are drawn, and so is everything if the system provides no thread.
#[derive(Debug)]
pub(crate) struct Printer {
    queue: Option<Arc<Queue>>,
    write: fn(&[u8]),
}

impl Printer {
    pub(crate) fn to(stream: &impl IsTerminal, write: fn(&[u8])) -> Self {
        let queue = if stream.is_terminal() { None } else { Queue::start(write) };
        Self { queue, write }
    }

    /// Whether there is room for a lot more.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.lock().has_room())
    }

    /// Waits until there is room for a lot more, without blocking other tasks. Cancel-safe.
    pub(crate) async fn room(&self) {
        if let Some(queue) = &self.queue {
            queue.until(Waiting::has_room).await;
        }
    }

    /// Prints this, whether there is room for it or not.
    pub(crate) fn print(&self, text: &[u8]) {
        match &self.queue {
            Some(queue) => queue.print(text),
            None => (self.write)(text),
        }
    }

    /// Prints this if there is room for it. If not, the number of missing lines is printed in their place.
    pub(crate) fn print_or_drop(&self, text: &[u8]) {
        match &self.queue {
            Some(queue) => queue.print_or_drop(text),
            None => (self.write)(text),
        }
    }

    /// Waits until everything is written, without blocking other tasks. Cancel-safe.
    pub(crate) async fn written(&self) {
        if let Some(queue) = &self.queue {
            queue.until(Waiting::is_done).await;
        }
    }

    /// Waits until everything is written, but no longer than this.
    pub(crate) fn finish(&self, most: Duration) {
        if let Some(queue) = &self.queue {
            queue.finish(most);
        }
    }
}

/// What is queued to be written to a stream, in order.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// The same as `changed`, for tasks.
    told: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    /// How many lines were dropped after that text.
    dropped: usize,
    /// Whether earlier text is being written.
    is_writing: bool,
}

impl Queue {
    /// Starts a queue, and the thread that writes what is in it.
    fn start(mut write: impl FnMut(&[u8]) + Send + 'static) -> Option<Arc<Self>> {
        let queue = Arc::new(Self::default());
        let own = Arc::clone(&queue);
        let work = move || {
            loop {
                write(&own.next());
                own.lock().is_writing = false;
                own.tell_all();
            }
        };
        thread::Builder::new().name("bowline printer".into()).spawn(work).is_ok().then_some(queue)
    }

    async fn until(&self, fits: impl Fn(&Waiting) -> bool) {
        loop {
            // From here on, no notification is missed.
            let told = self.told.notified();
            if fits(&self.lock()) {
                return;
            }
            told.await;
        }
    }

    fn print(&self, text: &[u8]) {
        self.lock().push(text);
        self.changed.notify_all();
    }

    fn print_or_drop(&self, text: &[u8]) {
        let mut waiting = self.lock();
        if waiting.dropped > 0 || waiting.is_full(text) {
            waiting.dropped += lines(text);
        } else {
            waiting.push(text);
        }
        self.changed.notify_all();
    }

    fn finish(&self, most: Duration) {
        let _ = self.changed.wait_timeout_while(self.lock(), most, |waiting| !waiting.is_done());
    }

    /// The next text to write, as soon as there is one.
    fn next(&self) -> Vec<u8> {
        let nothing = |waiting: &mut Waiting| waiting.text.is_empty();
        let mut waiting =
            self.changed.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        waiting.is_writing = true;
        let mut text = std::mem::take(&mut waiting.text);
        let dropped = std::mem::take(&mut waiting.dropped);
        if dropped > 0 {
            let told =
                format!("bowline: {dropped} lines are missing here, because nobody read them in time\n");
            text.extend_from_slice(told.as_bytes());
        }
        // Now there is room.
        self.tell_all();
        text
    }

    fn tell_all(&self) {
        self.changed.notify_all();
        self.told.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether another text has to wait. A single one never does, however long it is.
    fn is_full(&self, text: &[u8]) -> bool {
        !self.text.is_empty() && self.text.len() + text.len() > MOST
    }

    fn has_room(&self) -> bool {
        self.text.len() <= MOST / 2
    }

    fn push(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    fn is_done(&self) -> bool {
        self.text.is_empty() && !self.is_writing
    }
}

fn lines(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);

    /// A queue whose reader takes one text at a time.
    fn to_reader() -> (Arc<Queue>, mpsc::Receiver<String>) {
        let (tell, told) = mpsc::sync_channel(0);
        let write = move |text: &[u8]| drop(tell.send(String::from_utf8_lossy(text).into_owned()));
        (Queue::start(write).expect("a thread"), told)
    }

    /// A line of this many bytes.
    fn line(len: usize) -> Vec<u8> {
        let mut line = vec![b'x'; len - 1];
        line.push(b'\n');
        line
    }

    /// Waits until the thread holds the first text.
    fn taken(queue: &Queue) {
        while !queue.lock().text.is_empty() {
            thread::yield_now();
        }
    }

    #[test]
    fn everything_is_written_in_order_before_the_end() {
        let (queue, read) = to_reader();
        queue.print(b"one\n");
        queue.print_or_drop(b"two\n");
        queue.print(b"three\n");
        let reader = thread::spawn(move || read.iter().take_while(|text| text != "end").collect::<String>());
        queue.finish(LONG);
        queue.print(b"end");
        assert_eq!(reader.join().expect("it reads"), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_reader_that_reads_nothing_blocks_nobody_and_is_told_how_much_is_missing() {
        let (queue, read) = to_reader();
        queue.print_or_drop(b"first\n");
        taken(&queue);
        assert!(!queue.lock().is_done(), "it is being written");
        queue.print_or_drop(&line(MOST - 4));
        queue.print_or_drop(b"too much\n");
        // There is room for it, but it would be in the wrong place.
        queue.print_or_drop(b"no\n");
        queue.finish(Duration::ZERO);
        assert_eq!(read.recv().expect("it prints"), "first\n");
        let rest = read.recv().expect("it prints");
        assert!(rest.ends_with("x\nbowline: 2 lines are missing here, because nobody read them in time\n"));
        queue.print_or_drop(b"last\n");
        assert_eq!(read.recv().expect("it prints"), "last\n");
    }

    #[tokio::test]
    async fn waiting_for_a_reader_does_not_block_other_tasks() {
        let (queue, read) = to_reader();
        let room = |waiting: &Waiting| waiting.text.is_empty();
        queue.until(room).await;
        queue.print(b"first\n");
        taken(&queue);
        queue.print(b"last\n");
        let (own, again) = (Arc::clone(&queue), Arc::clone(&queue));
        let waiting = tokio::spawn(async move { own.until(room).await });
        let to_end = tokio::spawn(async move { again.until(Waiting::is_done).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "something waits");
        assert_eq!(read.recv().expect("it prints"), "first\n");
        waiting.await.expect("nothing waits");
        assert!(!to_end.is_finished(), "it is being written");
        assert_eq!(read.recv().expect("it prints"), "last\n");
        to_end.await.expect("all is written");
    }

    #[test]
    fn printing_lines_that_must_not_be_dropped_never_waits() {
        let (queue, read) = to_reader();
        queue.print(b"first\n");
        taken(&queue);
        queue.print(&line(MOST + 1));
        queue.print(b"last\n");
        assert_eq!(read.recv().expect("it prints"), "first\n");
        assert!(read.recv().expect("it prints").ends_with("x\nlast\n"));
    }
}
