"""The networks that the chapters open up, and their trained weights.

Each module builds one network (``name()``) and, where a chapter needs it trained, loads it (``load_name()``).
Weights live in ``datasets/checkpoints`` as safetensors, each with the recipe that made it in
``datasets/recipes``.
"""
