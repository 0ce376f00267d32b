/*
 * Language models: networks that read tokens and tell the next one, and go on from where they
 * stopped.
 *
 *	network_find("mamba-130m", &config); network_new(&net, &config, NULL); ...
 *	network_build_tokens(net, p, ids, NULL, &want, &out);	training: logits of every token
 *
 *	network_state_new(&state, net, batch, device);		generation: PROGRAM_EVAL
 *	network_build_tokens(net, prompt, ids, state, ...);	a program of the prompt's length
 *	network_build_tokens(net, step, id, state, ...);	one of a single token
 *
 * Programs of any length over one network share a state: each goes on from it and leaves it behind
 * its last token. On the CPU a row gives the same bits however it is cut.
 */
#ifndef MODELS_LANGUAGE_H
#define MODELS_LANGUAGE_H

#include "lib/models/network.h"

/* 1: it reads tokens, 0: pictures. */
int network_reads_tokens(const struct network_config *c);

/*
 * What layers carry from token to token, for `batch` rows: the convolution's last inputs
 * (batch, 3, E) and the scan's states (batch, E, N); in fp32, on the device, as large after any
 * number of tokens. It begins as that of an empty row.
 */
struct network_state;

int network_state_new(struct network_state **s, const struct network *n, int64_t batch,
	const struct device *device);
void network_state_free(struct network_state *s);
/* Back to an empty row. */
void network_state_clear(struct network_state *s);
/* Values in all, and all of them out and in again: to go back to a place, or on elsewhere. */
int64_t network_state_count(const struct network_state *s);
void network_state_get(const struct network_state *s, real *host);
void network_state_put(struct network_state *s, const real *host);

/*
 * ids int32 (B, L). state NULL: rows begin here; else of B rows, in PROGRAM_EVAL, advanced by every
 * forward pass. out: logits (B, L, classes), or with want->last_logits (B, 1, classes) of the last
 * token; tokens, last, taps (B, L, dim); no pooled. Numbers outside the vocabulary are for the
 * caller to refuse: they read as zeros.
 */
void network_build_tokens(struct network *n, struct program *p, tensor ids,
	struct network_state *state, const struct network_want *want, struct network_out *out);

#endif
