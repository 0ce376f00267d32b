/*
 * What multiplies matrices on the CPU, for provenance: bits may be compared between runs of equal
 * name alone.
 *
 * It is kernels/gemm.h, compiled once for each level of the instruction set. At the sizes of our
 * networks it is faster than OpenBLAS at the core type that suits the machine (measured: 230 to 255
 * against 185 to 210 GFLOP/s on one AVX-512 core), and its sums have one order at any number of
 * threads.
 */
#ifndef PROGRAM_BLAS_H
#define PROGRAM_BLAS_H

/*
 * Fixes the level (device.h: TM_ISA) for the whole process. STATUS_USAGE for a TM_ISA that is
 * none, STATUS_UNAVAILABLE for one that this CPU or build lacks.
 */
int blas_start(void);

/* "gemm, cpu x86-64-v4" */
const char *blas_name(void);

#endif
