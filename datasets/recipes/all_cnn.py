"""Train the network without pooling: ``datasets/checkpoints/all_cnn.safetensors``.

    python datasets/recipes/all_cnn.py

The same 4,000 digits, shifted and turned at random, and the same schedule as for the digits CNN. The last epoch is
kept, whatever its score. The seed is fixed; another processor may round differently and give slightly other weights.
"""

from digits_cnn import train  # its neighbour in this folder

from course.models.all_cnn import all_cnn

if __name__ == "__main__":
    train("all_cnn", all_cnn)
