//! Whoever queues the transfers of a command, as its follower sees him: by what he tells, and by how he ends.

use crate::exit::Trouble;
use crate::news::News;
use std::future::Future;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A task that queues transfers, and its news.
pub(crate) struct Queue {
    news: mpsc::Receiver<News>,
    /// Until it is known how it ended.
    task: Option<JoinHandle<()>>,
}

impl Queue {
    /// Begins to queue. What is told comes by `news`, which is closed when all is queued.
    pub(crate) fn begin(news: mpsc::Receiver<News>, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { news, task: Some(tokio::spawn(task)) }
    }

    /// What is told next; `None` once all is queued. Where somebody panicked on the way, not all is, and that is told
    /// instead. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<News, Trouble>> {
        if let Some(news) = self.news.recv().await {
            return Some(Ok(news));
        }
        let ended = self.task.as_mut()?.await;
        self.task = None;
        ended.err().map(|panic| Err(Trouble::failed(format!("internal error: {panic}"))))
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
