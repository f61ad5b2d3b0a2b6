"""Ops that make maps larger or smaller: by zeros, interpolation, weights, or rearranged pixels."""

from __future__ import annotations

from mbprof.errors import ShapeError
from mbprof.language.fmt import Shapes, show
from mbprof.ops.base import Facts, Free, Geometry, Op, Sampled, letter, maps, op
from mbprof.ops.fields import FLAG, NUMBER, PADDING, PAIR, PAIR_OR_NONE, SIZE, choice
from mbprof.ops.padding import Axis, Padding, Pair
from mbprof.symbolic.arithmetic import ceil_div, product, truncated

_WHERE = "a number, [h, w] or [top, bottom, left, right]"


@op("pad", "F.pad", inputs=(1, 2), aliases=("zeropad", "zeropadding"))
class Pad(Op):
    """Surround each map with zeros, and put maps of zeros behind the last.

    Shape: (C, H, W) -> (C, H + top + bottom, W + left + right); (c, H, W) with ``c``; H and W of
    the second input if there is one.
    Params: none.
    Cost: no arithmetic; the padded maps are written once.
    Raises: ShapeError: the padding is not given in numbers, or not at all; there is more already.
    Source: torch.nn.ZeroPad2d; arXiv:1512.03385, section 3.3, option A.

    >>> Pad(padding=(0, 1, 0, 1)).shapes(((32, 112, 112),))
    ((32, 113, 113),)
    >>> Pad(channels=32).shapes(((16, 16, 16),))
    ((32, 16, 16),)
    """

    padding: Padding | None = letter("p", PADDING, _WHERE, None)
    channels: int | None = letter("c", SIZE, "the number of channels with the added ones", None)

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "pad")
        if self.padding is None and self.channels is None and len(inputs) == 1:
            raise ShapeError("pad needs p, c, or a second input whose size it takes")
        top, bottom, left, right = self._sides(inputs)
        if self.channels is not None and self.channels < c:
            message = f"pad: the input has {c} channels, more than {self.channels}"
            raise ShapeError(message, letter="c", hint="slice keeps a part of them")
        return ((self.channels or c, h + top + bottom, w + left + right),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        return Facts(read=product(inputs[0]), write=product(outputs[0]))

    def axes(self, inputs: Shapes) -> tuple[Axis, ...]:
        _, h, w = inputs[0]
        top, bottom, left, right = self._sides(inputs)
        return Axis("height", h, 1, 1, 1, (top, bottom)), Axis("width", w, 1, 1, 1, (left, right))

    def _sides(self, inputs: Shapes) -> tuple[int, int, int, int]:
        if len(inputs) == 1:
            return _numbers(self.padding or (0, 0, 0, 0), "pad")
        if self.padding is not None:
            raise ShapeError("pad takes either p or a second input", letter="p")
        (_, h, w), (_, high, wide) = inputs[0], maps(inputs[1], "pad")
        if high < h or wide < w:
            message = f"pad: {show(inputs[0])} is larger than {show(inputs[1])}"
            raise ShapeError(message, hint="crop makes maps smaller")
        top, left = (high - h) // 2, (wide - w) // 2
        return top, high - h - top, left, wide - w - left


@op("crop", "Tensor.slice", inputs=(1, 2), aliases=("centercrop", "cropping"))
class Crop(Free):
    """Keep the middle of each map, or what is left without some rows and columns.

    Shape: (C, H, W) -> (C, h, w) of ``size``, or of the second input's size; with ``p``
    (C, H - top - bottom, W - left - right).
    Params: none.
    Cost: nothing; the result is a view.
    Raises: ShapeError: none or several of the three; the input is smaller.
    Source: arXiv:1505.04597, figure 1; keras.layers.Cropping2D.

    >>> Crop().shapes(((64, 64, 64), (128, 56, 56)))
    ((64, 56, 56),)
    """

    size: Pair | None = letter("size", PAIR, "height and width that are kept", None)
    padding: Padding | None = letter("p", PADDING, _WHERE + " to cut off", None)

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "crop")
        ways = [self.size is not None, self.padding is not None, len(inputs) == 2]
        if sum(ways) != 1:
            raise ShapeError("crop needs one of size, p, and a second input whose size it takes")
        if self.padding is not None:
            top, bottom, left, right = _numbers(self.padding, "crop")
            high, wide = h - top - bottom, w - left - right
            if high < 1 or wide < 1:
                raise ShapeError(f"crop: nothing is left of {show(inputs[0])}", letter="p")
            return ((c, high, wide),)
        high, wide = self.size or maps(inputs[1], "crop")[1:]
        if high > h or wide > w:
            raise ShapeError(
                f"crop: {show(inputs[0])} has no {high}×{wide} in its middle",
                letter="size" if self.size else None,
                hint="pad makes maps larger, and resize interpolates them",
            )
        return ((c, high, wide),)


def _numbers(padding: Padding, word: str) -> tuple[int, int, int, int]:
    if isinstance(padding, str):
        raise ShapeError(f"{word} needs numbers, there is no window to be same with", letter="p")
    return padding


@op(
    "resize",
    "F.interpolate",
    inputs=(1, 2),
    resamples=True,
    aliases=("upsample", "upsampling", "interp", "upscale", "downsample", "upsamplingbilinear"),
)
class Resize(Op):
    """Interpolate each map to another size.

    Shape: (C, H, W) -> (C, H_out, W_out), H_out given, of the second input, or ⌊H·by⌋.
    Params: none.
    Cost: none for ``nearest``; for ``bilinear`` 4 multiplications and 3 additions for each output.
    Raises: ShapeError: none or several of ``size``, ``by`` and a second input, or a factor that is
    not positive.
    Source: torch.nn.Upsample.

    >>> Resize(by=2).shapes(((256, 7, 7),))
    ((256, 14, 14),)
    """

    size: Pair | None = letter("size", PAIR, "the new height and width", None)
    by: float | None = letter("by", NUMBER, "the factor, if no size is given", None)
    mode: str = letter(
        "mode", choice("mode", "nearest or bilinear", ("nearest", "bilinear")), "how", "nearest"
    )

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "resize")
        if [self.size is None, self.by is None, len(inputs) == 1].count(False) != 1:
            raise ShapeError(
                "resize needs either size or by",
                hint="or a second input whose size it takes, in: [_, x]",
            )
        if len(inputs) == 2:
            return ((c, *maps(inputs[1], "resize")[1:]),)
        if self.size is not None:
            return ((c, *self.size),)
        factor = self.by or 0
        high, wide = truncated(h * factor), truncated(w * factor)
        if high < 1 or wide < 1:
            raise ShapeError(f"resize: {show(inputs[0])} times {factor:g} is empty", letter="by")
        return ((c, high, wide),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(outputs[0])
        linear = size if self.mode == "bilinear" else 0
        return Facts(mul=4 * linear, add=3 * linear, read=product(inputs[0]), write=size)

    def sampled(self, inputs: Shapes, outputs: Shapes) -> tuple[Sampled, ...]:
        sizes = zip(outputs[0][1:], inputs[0][1:], strict=True)
        return tuple(Sampled(1 + (self.mode == "bilinear"), made, of) for made, of in sizes)


@op(
    "tconv",
    "nn.ConvTranspose2d",
    after=("bn", "act"),
    multiplies=True,
    aliases=("deconv", "deconvolution", "convtransposed", "transposedconv", "upconv"),
)
class TransposedConv(Op):
    """Spread C_in maps into C_out larger maps, in g groups: a transposed convolution.

    Shape: (C_in, H, W) -> (C_out, H_out, W_out), see `Axis.spreads`.
    Params: k_h·k_w·C_in·(C_out/g) weights, and C_out biases if ``bias``.
    MACs: k_h·k_w·C_in·(C_out/g)·H·W of the input; taps that padding cuts off count, the bias is an
    addition.
    Raises: ShapeError: C_in or C_out is no multiple of g; nothing is left; the added rows are as
    many as stride and dilation.
    Source: torch.nn.ConvTranspose2d; keras/src/ops/operation_utils.py and
    keras/src/backend/common/backend_utils.py, conv transpose.

    >>> conv = TransposedConv(channels=512, kernel=(2, 2), stride=(2, 2), padding="valid")
    >>> conv.facts(((1024, 28, 28),), conv.shapes(((1024, 28, 28),))).mac
    1644167168
    """

    channels: int = letter("c", SIZE, "output channels")
    kernel: Pair = letter("k", PAIR, "kernel size")
    stride: Pair = letter("s", PAIR, "stride", (1, 1))
    padding: Padding = letter("p", PADDING, "padding", "same")
    output_padding: Pair | None = letter(
        "p_out", PAIR_OR_NONE, "rows and columns added at the end of the output", None
    )
    dilation: Pair = letter("d", PAIR, "dilation", (1, 1))
    groups: int = letter("g", SIZE, "groups", 1)
    bias: bool = letter("bias", FLAG, "whether a bias is added", False)

    def shapes(self, inputs: Shapes) -> Shapes:
        c, _, _ = maps(inputs[0], "tconv")
        for channels, which in ((c, "input"), (self.channels, "output")):
            if channels % self.groups:
                raise ShapeError(
                    f"tconv: {channels} {which} channels do not divide into {self.groups} groups",
                    letter="g",
                )
        extra = self.output_padding or (None, None)
        high, wide = (axis.spreads("tconv", extra[i]) for i, axis in enumerate(self.axes(inputs)))
        return ((self.channels, high, wide),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        c, h, w = inputs[0]
        kernels = product(self.kernel) * c * (self.channels // self.groups)
        biases, size = self.channels if self.bias else 0, product(outputs[0])
        return Facts(
            kernels=kernels,
            biases=biases,
            mac=kernels * h * w,
            add=size if self.bias else 0,
            read=product(inputs[0]) + kernels + biases,
            write=size,
        )

    def geometry(self, inputs: Shapes) -> Geometry:
        return Geometry(self.kernel, self.stride, self.dilation, self.groups)

    def axes(self, inputs: Shapes) -> tuple[Axis, ...]:
        p, (_, *size) = self.padding, inputs[0]
        sides: tuple[str | Pair, str | Pair] = (p, p) if isinstance(p, str) else (p[:2], p[2:])
        return tuple(
            Axis(name, size[i], self.kernel[i], self.stride[i], self.dilation[i], sides[i])
            for i, name in enumerate(("height", "width"))
        )

    def sampled(self, inputs: Shapes, outputs: Shapes) -> tuple[Sampled, ...]:
        return tuple(Sampled(ceil_div(a.extent, a.s), a.s, 1) for a in self.axes(inputs))


@op("pixelshuffle", "nn.PixelShuffle", aliases=("depthtospace", "subpixel"))
class PixelShuffle(Op):
    """Make maps larger by putting r·r channels beside each other.

    Shape: (C·r², H, W) -> (C, H·r, W·r).
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: the channels are no multiple of r².
    Source: arXiv:1609.05158, equation 4; torch.nn.PixelShuffle.

    >>> PixelShuffle(by=2).shapes(((256, 14, 14),))
    ((64, 28, 28),)
    """

    by: int = letter("by", SIZE, "how many times higher and wider the maps become")

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "pixelshuffle")
        if c % (self.by * self.by):
            raise ShapeError(
                f"pixelshuffle: {c} channels do not divide into squares of {self.by}×{self.by}",
                letter="by",
            )
        return ((c // (self.by * self.by), h * self.by, w * self.by),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(read=size, write=size)

    def sampled(self, inputs: Shapes, outputs: Shapes) -> tuple[Sampled, ...]:
        return (Sampled(1, self.by, 1),) * 2


@op("pixelunshuffle", "nn.PixelUnshuffle", aliases=("spacetodepth", "focus", "reorg"))
class PixelUnshuffle(Op):
    """Make maps smaller by putting the pixels of squares of r·r behind each other as channels.

    Shape: (C, H, W) -> (C·r², H/r, W/r).
    Params: none.
    Cost: no arithmetic; every element is read and written once.
    Raises: ShapeError: height or width is no multiple of r.
    Source: torch.nn.PixelUnshuffle.

    >>> PixelUnshuffle(by=2).shapes(((3, 640, 640),))
    ((12, 320, 320),)
    """

    by: int = letter("by", SIZE, "how many times less high and wide the maps become")

    def shapes(self, inputs: Shapes) -> Shapes:
        c, h, w = maps(inputs[0], "pixelunshuffle")
        for name, n in (("height", h), ("width", w)):
            if n % self.by:
                raise ShapeError(
                    f"pixelunshuffle: a {name} of {n} does not divide by {self.by}",
                    letter="by",
                    hint="pad the maps, or use a resolution that divides",
                )
        return ((c * self.by * self.by, h // self.by, w // self.by),)

    def facts(self, inputs: Shapes, outputs: Shapes) -> Facts:
        size = product(inputs[0])
        return Facts(read=size, write=size)

    def sampled(self, inputs: Shapes, outputs: Shapes) -> tuple[Sampled, ...]:
        return (Sampled(self.by, 1, self.by),) * 2
