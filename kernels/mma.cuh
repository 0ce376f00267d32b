/*
 * Tensor-core products of halves (m16n8k16, float sums), tiles of shared memory as their operands,
 * and copies into shared memory that run beside the threads. Compute capability 8.0 and later; on
 * others the functions do nothing, and their callers must not be launched.
 *
 * Lane l of a warp: g = l / 4, t = l % 4. A (16 x 16): a[0] rows g, columns 2 t and 2 t + 1; a[1] rows
 * g + 8; a[2], a[3] the same eight columns on. B (16 x 8): b0 rows 2 t and 2 t + 1 of column g; b1
 * eight rows on. D (16 x 8): d[0], d[1] row g, columns 2 t and 2 t + 1; d[2], d[3] row g + 8.
 */
#ifndef KERNELS_MMA_CUH
#define KERNELS_MMA_CUH

#include "kernels/cuda.cuh"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define HAS_MMA 1
#else
#define HAS_MMA 0
#endif

static __device__ __forceinline__ uint32_t shared_at(const void *p)
{
	return (uint32_t)__cvta_generic_to_shared(p);
}

/* 16 bytes, zeros where it is off; `from` must be readable all the same. */
static __device__ __forceinline__ void copy_piece(uint32_t to, const void *from, int on)
{
#if HAS_MMA
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
		     "r"(on ? 16 : 0)
		     : "memory");
#endif
}

/* Ends a group of copies. */
static __device__ __forceinline__ void copy_commit(void)
{
#if HAS_MMA
	asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Waits until at most N of the thread's groups are under way. */
template <int N> static __device__ __forceinline__ void copy_wait(void)
{
#if HAS_MMA
	asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

/*
 * Four 8 x 8 matrices of halves; lanes 8 i to 8 i + 7 give the addresses of the rows of matrix i. A
 * lane gets of each its row g, columns 2 t and 2 t + 1; turned: column g, rows 2 t and 2 t + 1.
 */
static __device__ __forceinline__ void load_matrices(uint32_t (&r)[4], uint32_t row)
{
#if HAS_MMA
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
		     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
		     : "r"(row)
		     : "memory");
#endif
}

static __device__ __forceinline__ void load_turned(uint32_t (&r)[4], uint32_t row)
{
#if HAS_MMA
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
		     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
		     : "r"(row)
		     : "memory");
#endif
}

/* d += A B */
static __device__ __forceinline__ void multiply_add(
	float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
#if HAS_MMA
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
		     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
		     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

#endif
