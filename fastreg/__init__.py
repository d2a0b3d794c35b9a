"""TensorFlow 1's regularizers and their collection for NumPy."""

from fastreg.kernels import get_config, get_num_threads, l2_loss, set_num_threads, show_config
from fastreg.regularizers import l1_l2_regularizer, l1_regularizer, l2_regularizer, no_regularizer, sum_regularizer
