"""Names that Keras has and fastnn has not: what to do instead."""

from __future__ import annotations

import difflib
import sys
from functools import partial
from types import ModuleType

_ELSEWHERE = "dense networks are all that fastnn has; Keras and PyTorch have this"
_PREPARE = (
    "prepare the data before: sklearn.preprocessing has what does it, and fastnn.sklearn.TabularClassifier takes tables"
)
_CHAIN = "a Sequential is a chain of layers; models with branches are Keras's and PyTorch's"
_RARE = "it is not built yet"
_ARRAYS = "arrays here are NumPy's: take numpy's function of this kind"
_TELLS_ITSELF = "model.summary() and fastnn.plot.network(model) show a model"

ADVICE: dict[str, dict[str, str]] = {
    "": {
        "Model Function KerasTensor": "wants fastnn.Sequential([...]): " + _CHAIN,
        "Operation InputSpec Variable Quantizer quantizers distillation": _ELSEWHERE,
        "DTypePolicy FloatDTypePolicy dtype_policies mixed_precision": 'compile(dtype="float32" or "float64") says it',
        "config": "compile(backend=, threads=, dtype=) says how it is computed",
        "applications preprocessing": _PREPARE,
        "RematScope StatelessScope SymbolicScope remat device name_scope": "compile says all",
        "export tree visualization wrappers legacy src": _RARE,
        "ops": _ARRAYS,
        "random": "take numpy.random; fastnn.utils.set_random_seed seeds both",
        "saving": "fastnn.load_model, model.save and fastnn.utils.custom_object_scope are there",
    },
    "distribution": {
        "DeviceMesh LayoutMap ModelParallel TensorLayout distribute_tensor get_device_count initialize list_devices "
        "set_distribution": "mpiexec starts the ranks, and compile(distribution=...DataParallel()) says the rest"
    },
    "layers": {
        "Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Convolution1D Convolution1DTranspose "
        "Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose DepthwiseConv1D DepthwiseConv2D "
        "SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D AdaptiveAveragePooling1D "
        "AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D "
        "AdaptiveMaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D "
        "MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D GlobalAveragePooling1D "
        "GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D "
        "GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
        "Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D "
        "ZeroPadding3D SpatialDropout1D SpatialDropout2D SpatialDropout3D": "convolutions and pooling: " + _ELSEWHERE,
        "Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D GRU GRUCell LSTM LSTMCell Masking RNN SimpleRNN SimpleRNNCell "
        "StackedRNNCells TimeDistributed": "recurrent layers: " + _ELSEWHERE,
        "AdditiveAttention Attention GroupQueryAttention MultiHeadAttention EinsumDense": "attention: " + _ELSEWHERE,
        "Embedding ReversibleEmbedding": "one-hot columns into a Dense are the same (fastnn.utils.to_categorical)",
        "Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average concatenate dot maximum minimum "
        "multiply subtract": _CHAIN,
        "AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization "
        "MaxNumBoundingBoxes MelSpectrogram MixUp Pipeline RandAugment RandomBrightness RandomColorDegeneration "
        "RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip "
        "RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization "
        "RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom Resizing "
        "STFTSpectrogram Solarization CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup "
        "StringLookup TextVectorization": _PREPARE,
        "Lambda": "fastnn.activations.Custom(value, slope) is a function of your own, compiled",
        "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper Wrapper InputSpec": _ELSEWHERE,
        "ActivityRegularization GaussianDropout GroupNormalization Permute RMSNormalization RepeatVector "
        "SpectralNormalization UnitNormalization Identity": _RARE,
    },
    "activations": {
        "glu log_softmax sparsemax tanh_shrink threshold": "fastnn.activations.Custom(value, slope) makes it, compiled"
    },
    "losses": {
        "CTC CategoricalGeneralizedCrossEntropy Circle Dice Tversky ctc categorical_generalized_cross_entropy circle "
        "dice tversky": "fastnn.losses.Custom(value, gradient) makes a loss, compiled"
    },
    "optimizers": {
        "Adafactor Ftrl Lamb LossScaleOptimizer MultiOptimizer Muon OptimizerMap ScheduleFreeAdamW legacy": (
            "take fastnn.optimizers.AdamW, or Nadam"
        )
    },
    "metrics": {
        "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU ConcordanceCorrelation PearsonCorrelation "
        "concordance_correlation pearson_correlation": "any function of (y_true, y_pred), in NumPy, is a metric"
    },
    "callbacks": {
        "OrbaxCheckpoint": "take fastnn.callbacks.BackupAndRestore",
        "ProgbarLogger": "fit(verbose=1) shows a bar: fastnn.callbacks.ProgressBar",
        "RemoteMonitor": "derive from fastnn.callbacks.Callback, and send what on_epoch_end is given",
        "SwapEMAWeights": "optimizers take use_ema=True",
    },
    "regularizers": {"OrthogonalRegularizer orthogonal_regularizer": "take fastnn.regularizers.L2"},
    "initializers": {"STFT STFTInitializer stft": _ELSEWHERE},
    "models": {"Model": "wants fastnn.Sequential([...]): " + _CHAIN, "save_model": "model.save(path) does it"},
    "utils": {
        "plot_model model_to_dot": _TELLS_ITSELF,
        "normalize pad_sequences FeatureSpace array_to_img img_to_array load_img save_img bounding_boxes "
        "audio_dataset_from_directory image_dataset_from_directory text_dataset_from_directory "
        "timeseries_dataset_from_array get_file": _PREPARE,
        "Config CustomObjectScope deserialize_keras_object serialize_keras_object get_custom_objects "
        "get_registered_name get_registered_object register_keras_serializable": (
            "fastnn.utils.custom_object_scope and load_model(custom_objects=) name objects of your own"
        ),
        "Progbar disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled": (
            "fit(verbose=0, 1 or 2) says what is shown"
        ),
        "split_dataset": "sklearn.model_selection.train_test_split does it; fit(validation_split=) too",
        "clear_session": "fastnn.backend.clear_session is there",
        "get_source_inputs is_keras_tensor legacy pack_x_y_sample_weight standardize_dtype "
        "unpack_x_y_sample_weight": _RARE,
    },
    "datasets": {
        "imdb reuters cifar10 cifar100 fashion_mnist": "fastnn downloads nothing; fastnn.datasets.digits is there"
    },
    "backend": {
        "set_floatx set_epsilon set_image_data_format": 'compile(dtype="float64") says it',
        "get_uid image_data_format is_float_dtype is_int_dtype is_keras_tensor result_type standardize_dtype": _ARRAYS,
    },
}
"""Modules of fastnn, names of Keras's in each, and what to do instead."""


def _each(names: str, advice: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), advice)


_COMPILED = "wants fit, or train_on_batch: a step is one compiled call"
ATTRIBUTES: dict[str, dict[str, str]] = {
    "Sequential": {
        **_each("fit_generator", "fit takes generators"),
        **_each("evaluate_generator", "evaluate takes generators"),
        **_each("predict_generator predict_proba", "predict does it"),
        **_each("predict_classes", "wants model.predict(x).argmax(axis=1), or predict(x) > 0.5 of a single output"),
        **_each("add_loss", "wants a loss in compile: losses.Custom is one of your own"),
        **_each("add_metric get_metrics_result reset_metrics", "wants metrics=[...] in compile"),
        **_each("quantize quantization_mode rematerialized_call", 'compile(dtype="float32" or "float64") says it'),
        **_each("run_eagerly jit_compile steps_per_execution", "many steps are one compiled call, always"),
        **_each("stateless_call stateless_compute_loss jax_state_sync symbolic_call", _COMPILED),
    },
    "Layer": {
        **_each("add_variable add_metric", "wants layers from fastnn.layers: none of your own"),
        **_each("quantize enable_lora rematerialized_call", 'compile(dtype="float32" or "float64") says it'),
        **_each("stateless_call symbolic_call", _COMPILED),
    },
    "Optimizer": {
        **_each("minimize stateless_apply get_gradients get_updates", _COMPILED),
        **_each("get_weights set_weights", "wants model.save, which keeps the optimizer's state too"),
        **_each(
            "exclude_from_weight_decay", "wants Dense(..., kernel_rate=, bias_rate=), or a regularizer of one layer"
        ),
    },
}
"""Classes of fastnn, attributes that Keras's class has or had, and what to do instead."""


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a module has not: what to do instead, or a name that is spelled like it."""
    short = module.partition(".")[2].replace("schedules", "optimizers.schedules")
    for names, advice in ADVICE.get(short, {}).items():
        if name in names.split():
            return AttributeError(f"fastnn has no {short + '.' if short else ''}{name}, which Keras has: {advice}")
    message = f"module {module!r} has no attribute {name!r}"
    known = [known for known in dir(sys.modules[module]) if not known.startswith("_")]
    close = [] if name.startswith("_") else difflib.get_close_matches(name, known, n=1)
    return AttributeError(message + (f" (did you mean {close[0]!r}?)" if close else ""), name=name)


def tell(module: ModuleType) -> None:
    """Have a module say of names that it has not what to do instead."""
    if not hasattr(module, "__getattr__"):
        vars(module)["__getattr__"] = partial(_raise, module.__name__)


def _raise(module: str, name: str) -> None:
    raise missing(module, name)
