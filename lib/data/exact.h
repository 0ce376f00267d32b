/*
 * Include last. From here to the end of the file a product is rounded before it is added to, so
 * that double arithmetic gives the same bits on processors with and without fused multiply-add.
 * CLONES compiles a loop for AVX2 too, chosen when the program is loaded.
 */
#ifndef DATA_EXACT_H
#define DATA_EXACT_H

#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(__x86_64__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

#endif
