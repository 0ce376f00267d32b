#include "lib/models/names.h"

#include <stdio.h>
#include <string.h>

static const struct name_rule same[] = {{"*", "*"}, {NULL}};

/* backbone, neck and head of an image classifier */
static const struct name_rule plainmamba_public[] = {
	{"head.fc.*", "head.fc.*"},
	{"*", "backbone.*"},
	{NULL},
};

/* the first release's names; anything else as today, since its code takes any mixture */
static const struct name_rule vmamba_first[] = {
	{"patch_embed.0.*", "patch_embed.proj.*"},
	{"patch_embed.2.*", "patch_embed.norm.*"},
	{"layers.#.blocks.#.norm.*", "layers.#.blocks.#.ln_1.*"},
	{"layers.#.blocks.#.op.*", "layers.#.blocks.#.self_attention.*"},
	{"classifier.norm.*", "norm.*"},
	{"classifier.head.*", "head.*"},
	{"*", "*"},
	{NULL},
};

#define HF_BODY                                                                                    \
	{"cls_token", "@embeddings.cls_token"}, {"pos_embed", "@embeddings.position_embeddings"},  \
		{"patch_embed.proj.*", "@embeddings.patch_embeddings.projection.*"},               \
		{"blocks.#.norm1.*", "@encoder.layer.#.layernorm_before.*"},                       \
		{"blocks.#.norm2.*", "@encoder.layer.#.layernorm_after.*"},                        \
		{"blocks.#.attn.qkv.*", "@encoder.layer.#.attention.attention.query.*", 0, 3},     \
		{"blocks.#.attn.qkv.*", "@encoder.layer.#.attention.attention.key.*", 1, 3},       \
		{"blocks.#.attn.qkv.*", "@encoder.layer.#.attention.attention.value.*", 2, 3},     \
		{"blocks.#.attn.proj.*", "@encoder.layer.#.attention.output.dense.*"},             \
		{"blocks.#.mlp.fc1.*", "@encoder.layer.#.intermediate.dense.*"},                   \
		{"blocks.#.mlp.fc2.*", "@encoder.layer.#.output.dense.*"},                         \
	{                                                                                          \
		"norm.*", "@layernorm.*"                                                           \
	}

static const struct name_rule hf[] = {HF_BODY, {"head.*", "classifier.*"}, {NULL}};

static const struct name_rule hf_distilled[] = {
	HF_BODY,
	{"dist_token", "@embeddings.distillation_token"},
	{"head.*", "cls_classifier.*"},
	{"head_dist.*", "distillation_classifier.*"},
	{NULL},
};

/* VideoMamba's masked pre-training and retrieval call the last norm otherwise */
static const struct name_rule videomamba_encoder[] = {
	{"norm_f.*", "@norm.*"},
	{"*", "@*"},
	{NULL},
};

/* what its fine-tuning takes off the names it loads */
static const struct name_rule videomamba_prefixed[] = {
	{"head.*", "head.*"},
	{"*", "@*"},
	{NULL},
};

static const char *const averages[] = {"ema_*", "model_ema.*", NULL};
static const char *const pooler[] = {"@pooler.dense.*", NULL};
static const char *const decoders[] = {"@clip_decoder.*", "@pool_norm.*", "text_encoder.*",
	"text_proj.*", "vision_proj.*", "itm_head.*", "temp", NULL};

/* the first code's names, which timm renames on loading */
static const struct name_rule mambaout_first[] = {
	{"stem.*", "downsample_layers.0.*"},
	{"stages.#.downsample.*", "downsample_layers.#.*"},
	{"stages.#.blocks.#.*", "stages.#.#.*"},
	{"head.norm.*", "norm.*"},
	{"head.pre_logits.fc.*", "head.fc1.*"},
	{"head.pre_logits.norm.*", "head.norm.*"},
	{"head.fc.*", "head.fc2.*"},
	{"*", "*"},
	{NULL},
};

static const struct name_rule mamba_hf[] = {
	{"backbone.embedding.*", "backbone.embeddings.*"},
	{"*", "*"},
	{NULL},
};

/* the head is the embedding */
static const struct name_copy mamba_head[] = {
	{"backbone.embedding.weight", "lm_head.weight", 1}, {NULL}};
static const struct name_copy mamba_hf_head[] = {
	{"backbone.embedding.weight", "lm_head.weight", 0}, {NULL}};

static const struct spelling spellings[] = {
	{"timm", NETWORK_DEIT, -1, "", same, averages, "timm and the DeiT release"},
	{"hf", NETWORK_DEIT, 0, "vit.", hf, pooler, "Hugging Face's ViT"},
	{"hf", NETWORK_DEIT, 1, "deit.", hf_distilled, pooler, "Hugging Face's DeiT"},
	{"public", NETWORK_PLAINMAMBA, -1, "", plainmamba_public, averages, "PlainMamba's code"},
	{"own", NETWORK_PLAINMAMBA, -1, "", same, averages, "the TransMamba release"},
	{"public", NETWORK_VIM, -1, "", same, averages, "Vim's code"},
	{"public", NETWORK_VMAMBA, -1, "", same, averages, "VMamba's code"},
	{"first", NETWORK_VMAMBA, -1, "", vmamba_first, averages, "VMamba's first release"},
	{"public", NETWORK_VIDEOMAMBA, -1, "", same, averages, "VideoMamba's code"},
	{"pretrain", NETWORK_VIDEOMAMBA, -1, "", videomamba_encoder, decoders,
		"VideoMamba's masked pre-training"},
	{"retrieval", NETWORK_VIDEOMAMBA, -1, "vision_encoder.", videomamba_encoder, decoders,
		"VideoMamba's retrieval network"},
	{"backbone", NETWORK_VIDEOMAMBA, -1, "backbone.", videomamba_prefixed, averages,
		"VideoMamba's code as a backbone"},
	{"encoder", NETWORK_VIDEOMAMBA, -1, "encoder.", videomamba_prefixed, averages,
		"VideoMamba's code as an encoder"},
	{"timm", NETWORK_MAMBAOUT, -1, "", same, averages, "timm's MambaOut"},
	{"first", NETWORK_MAMBAOUT, -1, "", mambaout_first, averages, "MambaOut's code"},
	{"public", NETWORK_MAMBA, -1, "", same, NULL, "Mamba's code", mamba_head},
	{"hf", NETWORK_MAMBA, -1, "", mamba_hf, NULL, "Hugging Face's Mamba", mamba_hf_head},
};

const struct spelling *spelling_at(int i)
{
	return i < (int)(sizeof(spellings) / sizeof(*spellings)) ? &spellings[i] : NULL;
}

const struct spelling *spelling_find(const struct network_config *c, const char *name)
{
	const struct spelling *s;

	if ((c->family == NETWORK_DEIT || c->family == NETWORK_MAMBAOUT) &&
		(!strcmp(name, "public") || !strcmp(name, "own")))
		name = "timm";
	if ((network_is_bimamba(c) || c->family == NETWORK_VMAMBA || c->family == NETWORK_MAMBA) &&
		!strcmp(name, "own"))
		name = "public";
	for (int i = 0; (s = spelling_at(i)); i++)
		if (s->family == c->family && !strcmp(s->name, name) &&
			(s->distilled < 0 || s->distilled == c->distilled))
			return s;
	return NULL;
}

#define NUMBERS 2 /* signs '#' in a pattern, at most */

/* What the signs of a pattern stood for. */
struct match {
	char number[NUMBERS][12]; /* of each '#' in turn */
	const char *rest;
};

static size_t number_length(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 9 || (n > 1 && text[0] == '0') ? 0 : n;
}

static int matches(struct match *m, const char *pattern, const char *prefix, const char *text)
{
	int numbers = 0;
	size_t n;

	m->rest = "";
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			m->rest = text;
			return *text != 0;
		}
		if (*pattern == '#') {
			n = number_length(text);
			if (!n || numbers == NUMBERS)
				return 0;
			memcpy(m->number[numbers], text, n);
			m->number[numbers++][n] = 0;
		} else if (*pattern == '@') {
			n = strlen(prefix);
			if (strncmp(text, prefix, n))
				return 0;
		} else {
			n = 1;
			if (*text != *pattern)
				return 0;
		}
		text += n;
	}
	return *text == 0;
}

/* The pattern with its signs filled in; 0 when it does not fit the room. */
static int fill(char out[NAME_SIZE], const char *pattern, const char *prefix, const struct match *m)
{
	size_t used = 0;
	int numbers = 0;

	for (; *pattern; pattern++) {
		char one[2] = {*pattern, 0};
		const char *piece = *pattern == '*'   ? m->rest
				    : *pattern == '#' ? m->number[numbers++]
				    : *pattern == '@' ? prefix
						      : one;
		size_t n = strlen(piece);

		if (n >= NAME_SIZE - used)
			return 0;
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = 0;
	return 1;
}

int name_to_ours(
	const struct spelling *s, const char *theirs, char ours[NAME_SIZE], int *part, int *parts)
{
	struct match m;

	for (const struct name_rule *r = s->rules; r->ours; r++)
		if (matches(&m, r->theirs, s->prefix, theirs)) {
			*part = r->part;
			*parts = r->parts ? r->parts : 1;
			return fill(ours, r->ours, s->prefix, &m);
		}
	return 0;
}

int name_to_theirs(
	const struct spelling *s, const char *ours, int part, char theirs[NAME_SIZE], int *parts)
{
	struct match m;

	for (const struct name_rule *r = s->rules; r->ours; r++)
		if (r->part == part && matches(&m, r->ours, s->prefix, ours)) {
			*parts = r->parts ? r->parts : 1;
			return fill(theirs, r->theirs, s->prefix, &m);
		}
	return 0;
}

int name_passed_over(const struct spelling *s, const char *theirs)
{
	struct match m;

	for (const char *const *p = s->passed_over; p && *p; p++)
		if (matches(&m, *p, s->prefix, theirs))
			return 1;
	return 0;
}

const char *name_copied(const struct spelling *s, const char *theirs)
{
	for (const struct name_copy *c = s->copies; c && c->ours; c++)
		if (!strcmp(c->theirs, theirs))
			return c->ours;
	return NULL;
}

const char *name_written_again(const struct spelling *s, const char *ours)
{
	for (const struct name_copy *c = s->copies; c && c->ours; c++)
		if (c->written && !strcmp(c->ours, ours))
			return c->theirs;
	return NULL;
}
