#include "lib/program/op.h"

/* Residual stream, sums over tokens, losses and everything of the optimiser stay real. */
struct op_store op_store(enum op_id op)
{
	switch (op) {
	case OP_linear:
	case OP_layernorm:
	case OP_rmsnorm:
	case OP_gelu:
	case OP_attention:
	case OP_selective_scan:
	case OP_selective_scans:
	case OP_gate:
	case OP_gate_join:
	case OP_tap_resid:
	case OP_dwconv2d:
	case OP_patches:
	case OP_image_input:
	case OP_conv2d:
	case OP_batchnorm:
		return (struct op_store){STORE_HALF, 0};
	case OP_dwconv2d_silu:
	case OP_dwconv1d_silu:
		return (struct op_store){STORE_HALF, 2};
	case OP_split:
	case OP_slice_tokens:
	case OP_pool_tokens:
	case OP_permute_tokens:
	case OP_concat_tokens:
	case OP_mean_directions:
	case OP_merge_patches:
		return (struct op_store){STORE_AS_INPUT, 0};
	default:
		return (struct op_store){STORE_REAL, 0};
	}
}
