"""Callbacks that see a stochastic fit: fastnn's, and scikit-learn's where it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.callbacks import Callback, CallbackList, ProgressBar

from .network import Network

if TYPE_CHECKING:
    from .base import BaseMLP

__all__ = ["Observers"]


class Observers:
    """fastnn's callbacks of ``callbacks`` and ``progress_bar``, and scikit-learn's of ``set_callbacks``.

    Parameters
    ----------
    estimator, network
    steps : int
        Of an epoch.
    """

    def __init__(self, estimator: BaseMLP, network: Network, steps: int) -> None:
        self.estimator, self.model = estimator, network.model
        given = [] if estimator.callbacks is None else estimator.callbacks
        given = [given] if isinstance(given, Callback) else list(given)
        if estimator.progress_bar:
            given = [ProgressBar(1), *given]
        self.callbacks: CallbackList | None = None
        if given:
            self.model.stop_training = False
            params = {"epochs": estimator.max_iter, "steps": steps, "verbose": 0}
            self.callbacks = CallbackList(given, self.model, params)
        watched = "_skl_callbacks" in estimator.__dict__ or hasattr(estimator, "_parent_callback_ctx")
        self.context = estimator._init_callback_context(max_subtasks=estimator.max_iter) if watched else None
        self.task: Any = None  # scikit-learn's word for the epoch at hand

    def __bool__(self) -> bool:
        return self.callbacks is not None or self.context is not None

    @property
    def need_progress(self) -> bool:
        """Whether one wants to be called within epochs."""
        return self.callbacks is not None and self.callbacks.needs_progress

    def begin(self, x: Any, y: Any) -> None:
        """Tell them that training begins."""
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, X=x, y=y)
        if self.callbacks is not None:
            self.callbacks.on_train_begin()

    def begin_epoch(self) -> None:
        """Tell them of the next epoch."""
        if self.callbacks is not None:
            self.callbacks.on_epoch_begin(self.estimator.n_iter_)
        if self.context is not None:
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.estimator)

    def progress(self, step: int, steps: int, logs: dict[str, float]) -> None:
        """Tell them how far the epoch is."""
        if self.callbacks is not None:
            self.callbacks.on_progress(self.estimator.n_iter_, step, steps, logs)

    def end_epoch(self, logs: dict[str, float]) -> bool:
        """Tell them what an epoch brought.  Returns whether one of them ends training."""
        stop = False
        if self.callbacks is not None:
            self.callbacks.on_epoch_end(self.estimator.n_iter_ - 1, logs)
            stop = self.model.stop_training
        if self.task is not None:
            weights = self.estimator._weights_now
            asked = self.task.call_on_fit_task_end(estimator=self.estimator, reconstruction_attributes=weights)
            stop = stop or bool(asked)
        return stop

    def end_training(self) -> None:
        """Tell fastnn's that training has ended."""
        if self.callbacks is not None:
            self.callbacks.on_train_end()

    def end_fit(self, x: Any, y: Any) -> None:
        """Tell scikit-learn's that the estimator has its final weights."""
        if self.context is not None:
            weights = self.estimator._weights_now
            self.context.call_on_fit_task_end(estimator=self.estimator, X=x, y=y, reconstruction_attributes=weights)
