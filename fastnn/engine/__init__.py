"""A network as the kernels see it, and what they are asked to do.  Nothing else in fastnn imports fastnn.kernels.

`Engine` puts the others together: layer_plan (what it is told of a layer), layout (where a layer finds its memory),
parameters (what training changes), optimizer (its constants), cost_model (how many threads, and how they share a
step), jobs (what the kernels are told), run (training), parts (steps that ranks share), inference (predicting),
prepared (steps and predictions in microseconds), workers and thread_pool (threads beside the caller), backends (Numba,
Cython, NumPy), functions (the user's own), members (many networks side by side), expressions (formulas for other
languages).
"""

from fastnn.kernels.formulas import ACTIVATIONS, LOSSES, OPTIMIZERS, SELU_ALPHA, SELU_SCALE
from fastnn.kernels.records import JobRecord
from . import prepared
from .backends import BACKENDS, DTYPES, describe, describe_cache, load, warmup
from .company import fits, share
from .cost_model import SLICE_SECONDS, CostModel
from .dataset import KIND_CODES, Data
from .engine import Engine
from .expressions import Expression, X, elementary_in_words, normal_tail_in_words, value_of
from .functions import BatchLoss, Function, ScalarActivation, ScalarLoss
from .layer_plan import LayerPlan
from .members import MemberStates, MemberTraining, penalties_of
from .memory import address, aligned, grown
from .optimizer import CLIPS, Average, OptimizerPlan, hyper_of
from .parameters import Count
from .prepared import Predictor, Step
from .run import Training, epoch_order
from .sparse import SparseRows
from .thread_pool import ThreadPool, processors
