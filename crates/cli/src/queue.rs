//! What a task tells, and how it ends. So a command sees whoever queues its transfers, and he whoever finds what is to be queued.

use crate::exit::Trouble;
use crate::news::News;
use std::future::Future;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

/// What a task tells.
pub(crate) struct Told<T> {
    told: mpsc::Receiver<T>,
    /// Until it is known how it ended.
    task: Option<JoinHandle<()>>,
}

impl<T> Told<T> {
    /// By a channel that is closed when the task has no more to tell.
    pub(crate) fn by(task: JoinHandle<()>, told: mpsc::Receiver<T>) -> Self {
        Self { told, task: Some(task) }
    }

    /// What is told next; `None` at the end. Where the task panicked it has not told all, and that comes instead, once.
    /// Cancel-safe.
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
    /// Begins to queue. What is told comes by `news`, which is closed when all is queued.
    pub(crate) fn begin(news: mpsc::Receiver<News>, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Told::by(tokio::spawn(task), news))
    }

    /// What is told next; `None` once all is queued. Where somebody panicked on the way, not all is, and that is told
    /// instead. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<News, Trouble>> {
        let next = self.0.next().await?;
        Some(next.map_err(|panic| Trouble::failed(format!("internal error: {panic}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that tells one thing, and then ends like this.
    fn queue(ends: impl FnOnce() + Send + 'static) -> Queue {
        let (tell, news) = mpsc::channel(1);
        Queue::begin(news, async move {
            tell.send(News::FolderMade).await.expect("somebody listens");
            ends();
        })
    }

    #[tokio::test]
    async fn a_queue_that_is_through_has_nothing_more_to_tell() {
        let mut queue = queue(|| {});
        assert!(matches!(queue.next().await, Some(Ok(News::FolderMade))));
        assert!(queue.next().await.is_none() && queue.next().await.is_none());
    }

    #[tokio::test]
    async fn a_queue_that_panicked_is_not_through() {
        let mut queue = queue(|| panic!("the walk is lost"));
        assert!(matches!(queue.next().await, Some(Ok(News::FolderMade))));
        let Some(Err(trouble)) = queue.next().await else { panic!("it looks as if all were queued") };
        let text = trouble.to_string();
        assert!(text.starts_with("internal error: ") && text.contains("the walk is lost"), "{text}");
        assert!(queue.next().await.is_none());
    }
}
