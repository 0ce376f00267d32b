/*
 * Networks: a named architecture, its parameters in a model, and its calls in a program.
 *
 *	network_find("pmamba-t", &config);          published settings, which may be changed
 *	network_new(&net, &config);                 parameters, in a model of its own
 *	model_allocate(net->model, device, 1);      then network_load (weights.h) or model_init
 *	network_build(net, p, image, &want, &out);  straight-line code: the forward calls
 *
 * Each family is one file: deit.c, plainmamba.c, vim.c, vmamba.c, videomamba.c, mamba.c,
 * mambaout.c. Parameter names are those of the public PyTorch implementations (DeiT: timm;
 * PlainMamba: the TransMamba release; MambaOut: timm; ViM: hustvl/Vim; VMamba: MzeroMiko/VMamba;
 * VideoMamba: OpenGVLab/VideoMamba; Mamba: state-spaces/mamba), with `layers.i.norm2.*` and
 * `layers.i.mlp.fc1|fc2.*` for the MLP that TransMamba adds to a student's block.
 */
#ifndef MODELS_NETWORK_H
#define MODELS_NETWORK_H

#include "lib/program/ops.h"

#define NETWORK_LAYERS 64
#define NETWORK_STAGES 4
#define NETWORK_NAME 48
#define NETWORK_FRAMES 1024 /* of a clip, at most */

enum network_family {
	NETWORK_DEIT,
	NETWORK_PLAINMAMBA,
	NETWORK_VIM,
	NETWORK_VMAMBA,
	NETWORK_VIDEOMAMBA,
	NETWORK_MAMBA,
	NETWORK_MAMBAOUT
};

struct network_config {
	char arch[32];
	enum network_family family;
	int64_t image;	 /* side of the square input, pixels; 0: it reads tokens (language.h) */
	int64_t patch;	 /* pixels a token covers; PlainMamba: twice the last projection's kernel */
	int64_t classes; /* outputs of the head; of a language model the vocabulary */
	int64_t dim, depth; /* of a network in stages: width of the first, layers of all */
	double mlp_ratio;   /* hidden width over dim; a student's 0: no added MLP */

	int64_t heads; /* DeiT */
	int distilled; /* DeiT: a second class token with a head of its own */
	int noz;       /* VMamba: 1: v05_noz, without gate, stages joined by convolutions */

	int64_t expand, state;	  /* students: inner width over dim, N */
	int64_t kernel;		  /* PlainMamba, VMamba, MambaOut: side of the dwconv */
	int64_t stem, stem_convs; /* channels of the stem, and its 3 x 3 convolutions */
	int64_t frames;		  /* VideoMamba: of a clip; 0: images, without their positions */
	int64_t stride;		  /* ViM: pixels between patches, 0: the patch, else they overlap */
	int64_t stages[NETWORK_STAGES]; /* VMamba, MambaOut: layers of each stage; 0: no stages */
	int scan_order; /* 0: delta, B, C stay in raster order (released code); 1: as the paper */
	int zoh;	/* 1: B-bar by zero-order hold as papers print it, not Euler's; CPU alone */
	int release_init; /* 1: the TransMamba release's initialisation instead of PlainMamba's */
	int layer_norm;	  /* 1: ViM, VideoMamba: LayerNorm instead of RMSNorm, as in TransMamba */
	int decay_all;	  /* 1: weight decay as the release applies it (A_log, positions too) */
	int local;	  /* PlainMamba: 1: a convolution after the first block, as in L1 */
	double drop_path; /* of the last block; linear from 0 at the first */
};

/* Published architectures and micro presets in order; NULL after the last. */
const struct network_config *network_at(int i);
/* STATUS_USAGE for an unknown name, with the known ones in the message. */
int network_find(const char *arch, struct network_config *config);

/* As JSON, malloc'ed; and back. STATUS_DATA for a text that is not a config of ours. */
char *network_config_text(const struct network_config *c);
int network_config_read(struct network_config *c, const char *json);

/* A student's MLP of that ratio, or 0 for none; with it RMSNorms become LayerNorms. */
void network_add_mlp(struct network_config *c, double ratio);
/* The network without what is added to the public code's: MLP, LayerNorms. */
struct network_config network_as_published(const struct network_config *c);

/* Frames of a sample (1 of an image), and all its tokens with those of classes. */
int64_t network_frames(const struct network_config *c);
int64_t network_tokens(const struct network_config *c);
/* Side of the grid that patches make, without class tokens, and the pixels between its tokens. */
int64_t network_grid(const struct network_config *c);
int64_t network_stride(const struct network_config *c);
/*
 * A layer's stage (0 without stages), and the grid and width of its input, taps and output. Each
 * stage halves the grid, rounding up, and doubles the width.
 */
int64_t network_stage(const struct network_config *c, int64_t layer);
int64_t network_layer_grid(const struct network_config *c, int64_t layer);
int64_t network_layer_dim(const struct network_config *c, int64_t layer);
/* What a layer's parameters and calls are named after: blocks.I, layers.I, layers.STAGE.blocks.I */
void network_layer_name(const struct network_config *c, int64_t layer, char name[NETWORK_NAME]);
/* Width of the last layer: of network_out's tokens and pooled feature. */
int64_t network_out_dim(const struct network_config *c);
/* Another number of layers; of a network in stages the third one's, as published sizes have it. */
void network_set_depth(struct network_config *c, int64_t depth);
/* Class tokens, and where in the sequence the first is: before the grid's, ViM's in the middle. */
int64_t network_extra_tokens(const struct network_config *c);
int64_t network_class_index(const struct network_config *c);
int64_t network_directions(const struct network_config *c); /* K; 1 for DeiT */
/* ViM and VideoMamba, whose blocks scan in both directions. */
int network_is_bimamba(const struct network_config *c);

struct network {
	struct network_config config;
	struct model *model; /* group 0; may hold other groups too */
	void *params;	     /* the family's table of struct param */
	int owned;	     /* the model is freed with the network */
};

/*
 * Declares the parameters, in `into` or (NULL) a model of its own. STATUS_DATA for settings that do
 * not fit each other.
 */
int network_new(struct network **n, const struct network_config *c, struct model *into);
/* Frees the network, and its model unless that was given. */
void network_free(struct network *n);

enum network_tap {
	TAP_NONE,
	TAP_RESID,  /* x_{i-1} + K o_{i,k}; VMamba, whose block is no sum of its directions: + o */
	TAP_BRANCH, /* o_{i,k} */
	TAP_INNER,  /* the gated scan's output before its projection, expand * dim wide */
	TAP_STREAM, /* x_i, the block's output: directions not told apart */
};

struct network_want {
	enum network_tap tap;
	int merged;	 /* of TAP_RESID and TAP_BRANCH the mean over directions */
	int layer_means; /* mean over tokens of every block's output */
	int no_head;	 /* logits are not wanted */
	int last_logits; /* of language models: logits of the last token alone */
};

/* What a forward pass gives. Absent ones are NULL. L and dim are the layer's, last: the last's. */
struct network_out {
	tensor logits; /* (B, classes) */
	tensor tokens; /* (B, extra + L, dim) after the final norm */
	tensor pooled; /* (B, dim): DeiT, ViM, VideoMamba the class token, others the mean */
	tensor last;   /* (B, extra + L, dim): the stream before the final norm */
	/* (B, K, extra + L, dim), or (B, extra + L, dim) where K is merged or 1 */
	tensor taps[NETWORK_LAYERS];
	tensor means[NETWORK_LAYERS]; /* (B, dim) */
};

/*
 * image (B, S, S, 3), or where the config has frames a clip (B, frames, S, S, 3), normalised; a
 * clip of one frame may be an image. Below, L counts the tokens of all frames. Refusals are the
 * program's (program_plan).
 */
void network_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);

#endif
