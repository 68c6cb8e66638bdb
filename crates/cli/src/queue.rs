//! What a task reports, and how it ends. Through this a command observes the task that queues its transfers, and that
//! task observes the one that finds what to queue.

use crate::exit::Trouble;
use crate::news::News;
use std::future::Future;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

/// What a task reports.
pub(crate) struct Told<T> {
    told: mpsc::Receiver<T>,
    /// `None` once it is known how it ended.
    task: Option<JoinHandle<()>>,
}

impl<T> Told<T> {
    /// The task reports through a channel, which it closes when it has no more to report.
    pub(crate) fn by(task: JoinHandle<()>, told: mpsc::Receiver<T>) -> Self {
        Self { told, task: Some(task) }
    }

    /// The next report; `None` at the end. If the task has panicked, it has not reported everything, so the panic is
    /// returned instead, once. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<T, JoinError>> {
        if let Some(told) = self.told.recv().await {
            return Some(Ok(told));
        }
        let ended = self.task.as_mut()?.await;
        self.task = None;
        ended.err().map(Err)
    }
}

/// A task that queues transfers, and its news.
pub(crate) struct Queue(Told<News>);

impl Queue {
    /// Starts queueing. Reports arrive through `news`, which is closed when everything is queued.
    pub(crate) fn begin(news: mpsc::Receiver<News>, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Told::by(tokio::spawn(task), news))
    }

    /// The next report; `None` once everything is queued. If a task has panicked on the way, not everything is queued,
    /// so that is returned instead. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<News, Trouble>> {
        let next = self.0.next().await?;
        Some(next.map_err(|panic| Trouble::failed(format!("internal error: {panic}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that reports one thing, and then ends like this.
    fn queue(ends: impl FnOnce() + Send + 'static) -> Queue {
        let (tell, news) = mpsc::channel(1);
        Queue::begin(news, async move {
            tell.send(News::FolderMade).await.expect("somebody listens");
            ends();
        })
    }

    #[tokio::test]
    async fn a_finished_queue_has_nothing_more_to_report() {
        let mut queue = queue(|| {});
        assert!(matches!(queue.next().await, Some(Ok(News::FolderMade))));
        assert!(queue.next().await.is_none() && queue.next().await.is_none());
    }

    #[tokio::test]
    async fn a_queue_that_panicked_does_not_look_finished() {
        let mut queue = queue(|| panic!("the walk is lost"));
        assert!(matches!(queue.next().await, Some(Ok(News::FolderMade))));
        let Some(Err(trouble)) = queue.next().await else { panic!("it looks as if all were queued") };
        let text = trouble.to_string();
        assert!(text.starts_with("internal error: ") && text.contains("the walk is lost"), "{text}");
        assert!(queue.next().await.is_none());
    }
}
