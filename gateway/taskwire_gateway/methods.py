"""Which code serves which method."""

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_service_pb2 as task_pb
from taskwire_gateway.edge import Methods, Stream, Unary
from taskwire_gateway.feed_watch import FeedWatcher
from taskwire_gateway.queue_service import QueueService
from taskwire_gateway.task_service import TaskService
from taskwire_gateway.task_watch import TaskWatcher

TASK_SERVICE = task_pb.DESCRIPTOR.services_by_name["TaskService"].full_name
QUEUE_SERVICE = queue_pb.DESCRIPTOR.services_by_name["QueueService"].full_name


def task_methods(tasks: TaskService, task_watcher: TaskWatcher, feed_watcher: FeedWatcher) -> Methods:
    """Return the methods of `TaskService`."""
    return {
        "CreateTask": Unary(task_pb.CreateTaskRequest, tasks.create_task),
        "BatchCreateTasks": Unary(task_pb.BatchCreateTasksRequest, tasks.batch_create_tasks),
        "GetTask": Unary(task_pb.GetTaskRequest, tasks.get_task),
        "ListTasks": Unary(task_pb.ListTasksRequest, tasks.list_tasks),
        "CancelTask": Unary(task_pb.CancelTaskRequest, tasks.cancel_task),
        "RetryTask": Unary(task_pb.RetryTaskRequest, tasks.retry_task),
        "WatchTask": Stream(task_pb.WatchTaskRequest, task_watcher.watch_task),
        "WatchTasks": Stream(task_pb.WatchTasksRequest, feed_watcher.watch_tasks),
    }


def queue_methods(queues: QueueService) -> Methods:
    """Return the methods of `QueueService`."""
    return {
        "GetQueue": Unary(queue_pb.GetQueueRequest, queues.get_queue),
        "ListQueues": Unary(queue_pb.ListQueuesRequest, queues.list_queues),
        "PauseQueue": Unary(queue_pb.PauseQueueRequest, queues.pause_queue),
        "ResumeQueue": Unary(queue_pb.ResumeQueueRequest, queues.resume_queue),
    }
