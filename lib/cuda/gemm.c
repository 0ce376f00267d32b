/*
 * Matrix products by cuBLASLt. The algorithm of each shape is chosen once by its heuristic, with a
 * fixed workspace and no reduction by atomics, so that results repeat bit for bit.
 */
#include <cublasLt.h>
#include <string.h>
#include "lib/cuda/cuda.h"

#define WORKSPACE ((size_t)64 << 20)
#define PLANS 512

struct key {
	int64_t m, n, k;
	int ta, tb, half_in, half_out, bias, add;
};

struct plan {
	struct key key;
	cublasLtMatmulDesc_t op;
	cublasLtMatrixLayout_t a, b, c;
	cublasLtMatmulAlgo_t algo;
};

static cublasLtHandle_t handle;
static void *workspace;
static struct plan plans[PLANS];
static int n_plans;

int gemm_start(void)
{
	cudaError_t e = cudaMalloc(&workspace, WORKSPACE);

	if (cublasLtCreate(&handle) != CUBLAS_STATUS_SUCCESS || e != cudaSuccess)
		return cuda_host->error(STATUS_SYSTEM, "cuBLASLt does not start: %s",
			e != cudaSuccess ? cudaGetErrorString(e) : "no handle");
	return 0;
}

static cudaDataType_t type_of(int half)
{
	return half ? CUDA_R_16BF : CUDA_R_32F;
}

static int fail(cublasStatus_t s)
{
	return cuda_failed_status(s != CUBLAS_STATUS_SUCCESS, "cuBLASLt", (int)s);
}

static int describe(struct plan *p)
{
	const struct key *k = &p->key;
	cublasComputeType_t compute = cuda_precision == PRECISION_TF32 && !k->half_in
					      ? CUBLAS_COMPUTE_32F_FAST_TF32
					      : CUBLAS_COMPUTE_32F;
	cublasOperation_t ta = k->ta ? CUBLAS_OP_T : CUBLAS_OP_N,
			  tb = k->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
	cudaDataType_t bias = type_of(k->half_out);

	if (fail(cublasLtMatmulDescCreate(&p->op, compute, CUDA_R_32F)))
		return 1;
	cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof(ta));
	cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof(tb));
	if (k->bias) {
		cublasLtMatmulDescSetAttribute(
			p->op, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof(epilogue));
		cublasLtMatmulDescSetAttribute(
			p->op, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias, sizeof(bias));
	}
	return fail(cublasLtMatrixLayoutCreate(&p->a, type_of(k->half_in), k->ta ? k->k : k->m,
		       k->ta ? k->m : k->k, k->ta ? k->k : k->m)) ||
	       fail(cublasLtMatrixLayoutCreate(&p->b, type_of(k->half_in), k->tb ? k->n : k->k,
		       k->tb ? k->k : k->n, k->tb ? k->n : k->k)) ||
	       fail(cublasLtMatrixLayoutCreate(&p->c, type_of(k->half_out), k->m, k->n, k->m));
}

/*
 * Products of halves with short sums and many tiles: the heuristic's second choice, smaller tiles,
 * was up to a tenth faster on an H200.
 */
static int prefers_second(
	const struct key *k, const cublasLtMatmulHeuristicResult_t *found, int count)
{
	return count > 1 && k->half_in && k->k <= 256 && found[0].wavesCount > 3 &&
	       found[1].state == CUBLAS_STATUS_SUCCESS;
}

static int choose(struct plan *p)
{
	uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
	size_t room = WORKSPACE;
	cublasLtMatmulHeuristicResult_t found[2];
	cublasLtMatmulPreference_t wish;
	int count = 0;
	cublasStatus_t s;

	if (fail(cublasLtMatmulPreferenceCreate(&wish)))
		return 1;
	cublasLtMatmulPreferenceSetAttribute(
		wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof(room));
	cublasLtMatmulPreferenceSetAttribute(
		wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof(schemes));
	s = cublasLtMatmulAlgoGetHeuristic(
		handle, p->op, p->a, p->b, p->c, p->c, wish, 2, found, &count);
	cublasLtMatmulPreferenceDestroy(wish);
	if (fail(s) || cuda_failed_status(count < 1, "cuBLASLt's choice of an algorithm", count))
		return 1;
	p->algo = found[prefers_second(&p->key, found, count)].algo;
	return 0;
}

/* The plan of a shape: made at its first use, which is before any graph is launched. */
static struct plan *plan_of(const struct key *key)
{
	struct plan *p;

	for (int i = 0; i < n_plans; i++)
		if (!memcmp(&plans[i].key, key, sizeof(*key)))
			return &plans[i];
	if (cuda_failed_status(n_plans == PLANS, "the table of matrix products is full: it", PLANS))
		return NULL;
	p = &plans[n_plans];
	memset(p, 0, sizeof(*p));
	p->key = *key;
	if (describe(p) || choose(p))
		return NULL;
	n_plans++;
	return p;
}

/* C (m x n, column-major) = op(A) op(B) + add C + bias. */
static void multiply(const struct key *key, void *C, const void *A, const void *B, const void *bias)
{
	const float one = 1, beta = (float)key->add;
	struct plan *p = plan_of(key);

	if (!p)
		return;
	if (bias)
		cublasLtMatmulDescSetAttribute(
			p->op, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof(bias));
	fail(cublasLtMatmul(handle, p->op, &one, A, p->a, B, p->b, &beta, C, p->c, C, p->c,
		&p->algo, workspace, WORKSPACE, cuda_stream));
}

void gemm_forward(
	const struct gemm *g, struct array y, struct array x, struct array W, const void *bias)
{
	struct key k;

	memset(&k, 0, sizeof(k));
	k.m = g->out;
	k.n = g->rows;
	k.k = g->in;
	k.ta = 1;
	k.half_in = x.half;
	k.half_out = y.half;
	k.bias = bias != NULL;
	multiply(&k, y.data, W.data, x.data, bias);
}

void gemm_input(const struct gemm *g, struct array dx, int acc, struct array dy, struct array W)
{
	struct key k;

	memset(&k, 0, sizeof(k));
	k.m = g->in;
	k.n = g->rows;
	k.k = g->out;
	k.half_in = dy.half;
	k.half_out = dx.half;
	k.add = acc;
	multiply(&k, dx.data, W.data, dy.data, NULL);
}

void gemm_weight(const struct gemm *g, float *dW, struct array dy, struct array x)
{
	struct key k;

	memset(&k, 0, sizeof(k));
	k.m = g->in;
	k.n = g->out;
	k.k = g->rows;
	k.tb = 1;
	k.half_in = dy.half;
	k.add = 1;
	multiply(&k, dW, x.data, dy.data, NULL);
}
