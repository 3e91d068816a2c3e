"""Which form a precision has on a device, and why a device cannot have one."""

from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.forms import DirectForm, Form, MultipliedOutForm, PlainForm
from indexer.embedding.runtimes.packed.layout import MATRICES, LayerLayout
from indexer.embedding.runtimes.packed.products import (
    FP8_CAPABILITY,
    MULTIPLE,
    Multiply,
    choose_multiply,
)
from indexer.embedding.runtimes.packed.rounding import Fp8Rows, Int4Groups, Int8Rows
from indexer.errors import PlacementError
from indexer.modes import QUANTISED, Precision

if TYPE_CHECKING:
    import torch


def resident_form(
    precision: Precision, config: Qwen3Config, dtype: "torch.dtype", device: str
) -> Form:
    """The form of layers that all lie on the device.

    int8 is multiplied as it is where the device can, else multiplied out for each pass.

    Raises:
        PlacementError: the device has no fp8 products, or the model's widths are not for int4.
    """
    layout = LayerLayout(config)
    if precision is Precision.INT4:
        _check_groups(layout)
        return MultipliedOutForm(layout, dtype, Int4Groups(), device)
    if precision not in QUANTISED:
        return PlainForm(layout, dtype)
    multiply = _direct(precision, config, layout, device)
    if precision is Precision.INT8:
        if multiply is None:
            return MultipliedOutForm(layout, dtype, Int8Rows(), device)
        return DirectForm(layout, dtype, Int8Rows(), multiply)
    if multiply is None:
        raise PlacementError(_no_fp8(device))
    return DirectForm(layout, dtype, Fp8Rows(), multiply)


def travelling_form(
    precision: Precision, layout: LayerLayout, dtype: "torch.dtype", device: str
) -> Form:
    """The form of layers that are brought to the device one by one.

    Raises:
        PlacementError: there is none for fp8 and int4.
    """
    if precision in (Precision.FP8, Precision.INT4):
        raise PlacementError(
            f"Mode offload:{precision} is not available in this version. Use offload with int8, "
            "bf16 or fp16."
        )
    if precision is Precision.INT8:
        return MultipliedOutForm(layout, dtype, Int8Rows(), device)
    return PlainForm(layout, dtype)


def _direct(
    precision: Precision, config: Qwen3Config, layout: LayerLayout, device: str
) -> Multiply | None:
    # The last layer multiplies queries apart from keys and values.
    sizes = [config.query_size, config.key_size, *(n for m in MATRICES for n in layout.shapes[m])]
    if any(size % MULTIPLE for size in sizes):
        return None
    return choose_multiply(precision, device)


def _check_groups(layout: LayerLayout) -> None:
    multiple = Int4Groups.column_multiple
    for name in MATRICES:
        columns = layout.shapes[name][1]
        if columns % multiple:
            raise PlacementError(
                f"Precision int4 rounds groups of {multiple} weights; this model has rows of "
                f"{columns}. Use int8."
            )


def _no_fp8(device: str) -> str:
    import torch

    found = torch.cuda.get_device_capability(device) if device != "cpu" else None
    if found is not None and found < FP8_CAPABILITY:
        why = f"needs compute capability 8.9, {torch.cuda.get_device_name(device)} has "
        why += f"{found[0]}.{found[1]}"
    else:
        why = f"has no products for this model's widths on {device} in torch {torch.__version__}"
    return f"Precision fp8 {why}. Use int8, bf16 or fp16."
