"""Train the residual network: ``datasets/checkpoints/digits_resnet.safetensors``.

    python datasets/recipes/digits_resnet.py

The same 4,000 digits, shifted and turned at random, in six epochs. The last epoch is
kept, whatever its score. The seed is fixed; another processor may round differently and give slightly other weights.
"""

from digits_cnn import train  # its neighbour in this folder

from course.models.digits_resnet import digits_resnet

if __name__ == "__main__":
    train("digits_resnet", digits_resnet, epochs=6)
