"""The Inception network of the Frechet Inception distance: TensorFlow's of 2015-12-05, for its published weights.

It differs from later Inception networks in its pooling and its 1008 classes (Heusel et al. 2017); modules are named
as in the file of weights, `pt_inception-2015-12-05-6726825d.pth`, that pytorch-fid and torch-fidelity use.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

SIDE = 299
FEATURES = 2048
CLASSES = 1008
PROTOCOL = (
    "clean-fid's: 8-bit images, gray as RGB, resized to 299 x 299 by an antialiased bicubic filter, cut to [0,255], "
    "the 2048 features of the pool layer"
)


def resized(images: Tensor) -> Tensor:
    """Images `[N,1 or 3,H,W]` in [-1,1] as the network takes them, `[N,3,299,299]` in [-1,127/128].

    As in clean-fid (Parmar et al. 2022): values 0 to 255 in floating point, PIL's bicubic filter, antialiased if images
    shrink. Raises ValueError for another number of channels.
    """
    if images.shape[1] not in (1, 3):
        raise ValueError(f"inception takes gray or RGB images, not {images.shape[1]} channels")
    colors = ((images + 1) * 127.5).expand(-1, 3, -1, -1)
    large = interpolate(colors, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
    return (large.clamp(0, 255) - 128) / 128


class Inception(nn.Module):
    """Images of `resized` to pool features `[N,2048]`."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b, self.Mixed_6c = BlockC(128), BlockC(160)
        self.Mixed_6d, self.Mixed_6e = BlockC(160), BlockC(192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280), BlockE(2048, largest=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))


class Convolution(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)), inplace=True)


def _mean(x: Tensor) -> Tensor:
    """The mean of 3 x 3 neighbors; TensorFlow does not count those outside the image."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    def __init__(self, before: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(before, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Convolution(before, 48, 1), Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(before, 64, 1), Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(before, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        doubled = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat(
            [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), doubled, self.branch_pool(_mean(x))], 1
        )


class BlockB(nn.Module):
    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(before, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(before, 64, 1), Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        doubled = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), doubled, max_pool2d(x, 3, stride=2)], 1)


class BlockC(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(768, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Convolution(768, width, 1), _across(width, width)
        self.branch7x7_3 = _down(width, 192)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Convolution(768, width, 1), _down(width, width)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = _across(width, width), _down(width, width)
        self.branch7x7dbl_5 = _across(width, 192)
        self.branch_pool = Convolution(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        doubled = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        doubled = self.branch7x7dbl_5(self.branch7x7dbl_4(doubled))
        return torch.cat([self.branch1x1(x), single, doubled, self.branch_pool(_mean(x))], 1)


class BlockD(nn.Module):
    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Convolution(before, 192, 1), Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Convolution(before, 192, 1), _across(192, 192)
        self.branch7x7x3_3, self.branch7x7x3_4 = _down(192, 192), Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), wide, max_pool2d(x, 3, stride=2)], 1)


class BlockE(nn.Module):
    """The second of the two E blocks pools by the maximum: an oddity of this network that its figures depend on."""

    def __init__(self, before: int, largest: bool = False) -> None:
        super().__init__()
        self.largest = largest
        self.branch1x1 = Convolution(before, 320, 1)
        self.branch3x3_1 = Convolution(before, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = _across(384, 384, 3), _down(384, 384, 3)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(before, 448, 1), Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = _across(384, 384, 3), _down(384, 384, 3)
        self.branch_pool = Convolution(before, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single, doubled = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = max_pool2d(x, 3, stride=1, padding=1) if self.largest else _mean(x)
        wide = [self.branch3x3_2a(single), self.branch3x3_2b(single)]
        wide += [self.branch3x3dbl_3a(doubled), self.branch3x3dbl_3b(doubled)]
        return torch.cat([self.branch1x1(x), *wide, self.branch_pool(pooled)], 1)


def _across(before: int, after: int, length: int = 7) -> Convolution:
    return Convolution(before, after, (1, length), padding=(0, length // 2))


def _down(before: int, after: int, length: int = 7) -> Convolution:
    return Convolution(before, after, (length, 1), padding=(length // 2, 0))
