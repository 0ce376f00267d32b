/* The set form: not there yet, so the plain form takes everything. */
#include "kernels/scan.cuh"
int scan_set_takes(const struct selective_scan &p, const struct scan_arrays &in, int backward)
{
	return 0;
}
void scan_set_forward(const struct selective_scan &p, struct array y, const struct scan_arrays &in)
{
}
void scan_set_backward(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
}
int64_t scan_set_check(const struct selective_scan &p)
{
	return 0;
}
