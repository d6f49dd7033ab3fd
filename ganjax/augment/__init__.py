"""Augmentations of what a discriminator sees, as differentiable functions.

An augmentation is a function `(images [N, H, W, C], key, p) -> images`, in
which each image makes its own draws, and each transform is used with
probability `p` (or a multiple of it). `remedies.augmented` puts one before a
discriminator. A module defines in `AUGMENTATIONS` what a config can name.
"""

import pkgutil

import lazy_loader

_modules = [module.name for module in pkgutil.iter_modules(__path__)]
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, _modules)
