/*
 * Every named network: its number of parameters to the unit, its settings as text, and what is
 * refused.
 *
 * Published networks are held against literal counts of instantiated classes, all of them against
 * closed forms of their layers.
 */
#include "lib/base/error.h"
#include "lib/models/language.h"
#include "tests/tap.h"

static int64_t block_of_mlp(int64_t d, int64_t hidden)
{
	return 2 * hidden * d + hidden + d;
}

static int64_t deit_closed_form(const struct network_config *c)
{
	int64_t d = c->dim, k = 1 + c->distilled, grid = c->image / c->patch;
	int64_t block = 4 * d + 3 * d * d + 3 * d + d * d + d + block_of_mlp(d, d * c->mlp_ratio);

	return 3 * c->patch * c->patch * d + d + k * d + (grid * grid + k) * d + c->depth * block +
	       2 * d + k * (c->classes * d + c->classes);
}

static int64_t plainmamba_closed_form(const struct network_config *c)
{
	int64_t d = c->dim, E = 2 * d, N = c->state, R = (d + 15) / 16, s = c->stem;
	int64_t grid = c->image / c->patch, k = c->patch / 2, hidden = d * c->mlp_ratio;
	int64_t mixer = 2 * d * E + 2 * E + c->kernel * c->kernel * E + E + E * (R + 2 * N) +
			R * E + E + E * N + E + E * d + d + 5 * N;
	int64_t stem = 3 * 49 * s + 2 * s + c->stem_convs * (9 * s * s + 2 * s) + s * k * k * d + d;
	int64_t added = hidden ? 2 * d + block_of_mlp(d, hidden) : 0;
	int64_t local = c->local ? 9 * d + 2 * d : 0;

	return local + stem + grid * grid * d + c->depth * (mixer + 2 * d + added) + 2 * d +
	       c->classes * d + c->classes;
}

static int64_t vim_closed_form(const struct network_config *c)
{
	int64_t d = c->dim, E = 2 * d, N = c->state, R = (d + 15) / 16,
		norm = d + c->layer_norm * d;
	int64_t stride = c->stride ? c->stride : c->patch, hidden = d * c->mlp_ratio;
	int64_t grid = (c->image - c->patch) / stride + 1;
	int64_t path = 5 * E + E * (R + 2 * N) + R * E + E + E * N + E;
	int64_t added = hidden ? 2 * d + block_of_mlp(d, hidden) : 0;

	return c->frames * d + 3 * c->patch * c->patch * d + d + d + (grid * grid + 1) * d +
	       c->depth * (2 * d * E + E * d + norm + 2 * path + added) + norm + c->classes * d +
	       c->classes;
}

static int64_t vmamba_block(const struct network_config *c, int64_t d)
{
	int64_t E = c->expand * d, N = c->state, R = (d + 15) / 16, hidden = d * c->mlp_ratio;
	int64_t scan = 4 * ((R + 2 * N) * E + E * R + E + E * N + E);
	int64_t conv = c->kernel * c->kernel * E + (c->noz ? 0 : E);

	return 2 * d + (c->noz ? 1 : 2) * E * d + conv + scan + 2 * E + E * d +
	       (hidden ? 2 * d + block_of_mlp(d, hidden) : 0);
}

static int64_t vmamba_closed_form(const struct network_config *c)
{
	int64_t d = c->dim, k = c->noz ? c->patch / 2 + 1 : c->patch;
	int64_t sum =
		c->noz ? 27 * d / 2 + 3 * d / 2 + 9 * d * d / 2 + 3 * d : 3 * k * k * d + 3 * d;

	for (int s = 0; s < 4; s++, d *= 2) {
		sum += c->stages[s] * vmamba_block(c, d);
		if (s < 3)
			sum += c->noz ? 18 * d * d + 6 * d : 8 * d * d + 8 * d;
	}
	d /= 2;
	return sum + 2 * d + c->classes * d + c->classes;
}

static int64_t mamba_closed_form(const struct network_config *c)
{
	int64_t d = c->dim, E = 2 * d, N = c->state, R = (d + 15) / 16;
	int64_t mixer = 2 * d * E + 5 * E + E * (R + 2 * N) + R * E + E + E * N + E + E * d;

	return c->classes * d + c->depth * (mixer + d) + d;
}

static int64_t mambaout_closed_form(const struct network_config *c)
{
	int64_t d = c->dim, w = 6 * d, last = d;
	int64_t sum = 27 * d / 2 + 3 * d / 2 + 9 * d * d / 2 + 3 * d;

	for (int s = 0; s < 4; s++) {
		int64_t D = s < 3 ? d << s : w, wide = D * 8 / 3, hidden = D * c->mlp_ratio;

		sum += s ? 9 * last * D + 3 * D : 0;
		sum += c->stages[s] *
		       (2 * D + 2 * wide * (D + 1) + D * (c->kernel * c->kernel + 1) + wide * D +
			       D + (hidden ? 2 * D + block_of_mlp(D, hidden) : 0));
		last = D;
	}
	return sum + 2 * w + 4 * w * (w + 1) + 8 * w + c->classes * (4 * w + 1);
}

static int64_t closed_form(const struct network_config *c)
{
	switch (c->family) {
	case NETWORK_DEIT:
		return deit_closed_form(c);
	case NETWORK_PLAINMAMBA:
		return plainmamba_closed_form(c);
	case NETWORK_VIM:
	case NETWORK_VIDEOMAMBA:
		return vim_closed_form(c);
	case NETWORK_VMAMBA:
		return vmamba_closed_form(c);
	case NETWORK_MAMBAOUT:
		return mambaout_closed_form(c);
	case NETWORK_MAMBA:
		return mamba_closed_form(c);
	}
	return -1;
}

static int64_t count(const struct network_config *c)
{
	struct network *n;
	int64_t parameters;

	if (network_new(&n, c, NULL))
		return -1;
	parameters = model_parameters(n->model, 0);
	network_free(n);
	return parameters;
}

static void check_closed_forms(void)
{
	for (int i = 0; network_at(i); i++) {
		struct network_config c = *network_at(i);
		int bad = 0;

		for (int classes = 48; classes <= 1000; classes += 952)
			for (int ratio = 0; ratio <= 4; ratio += 4) {
				c.classes = classes;
				if (c.family != NETWORK_DEIT && !network_reads_tokens(&c))
					network_add_mlp(&c, ratio);
				bad += count(&c) != closed_form(&c);
			}
		ok(!bad, "%s: the closed form of its layers", c.arch);
	}
}

static const struct {
	const char *arch;
	double mlp_ratio;
	int64_t image, classes, parameters; /* classes 0: without the head */
	int64_t frames;
} published[] = {
	{"deit-t", 4, 224, 1000, 5717416},
	{"deit-s", 4, 224, 1000, 22050664},
	{"deit-b", 4, 224, 1000, 86567656},
	{"deit-t-distilled", 4, 224, 1000, 5910800},
	{"deit-s-distilled", 4, 224, 1000, 22436432},
	{"deit-b-distilled", 4, 224, 1000, 87338192},
	{"pmamba-t", 0, 224, 100, 4170148},
	{"pmamba-s", 0, 224, 100, 13785316},
	{"pmamba-b", 0, 224, 100, 49604452},
	{"pmamba-t", 0, 224, 1000, 4343848},
	{"pmamba-s", 0, 224, 1000, 14131816},
	{"pmamba-b", 0, 224, 1000, 50296552},
	{"pmamba-t", 0, 224, 0, 4150848},
	{"pmamba-s", 0, 224, 0, 13746816},
	{"pmamba-b", 0, 224, 0, 49527552},
	{"pmamba-t", 0, 32, 100, 4133284},
	{"pmamba-s", 0, 32, 100, 13711588},
	{"pmamba-b", 0, 32, 100, 49456996},
	{"pmamba-t", 4, 224, 100, 7725220},
	{"mambaout-femto", 0, 224, 1000, 7304536},
	{"mambaout-kobe", 0, 224, 1000, 9141208},
	{"mambaout-t", 0, 224, 1000, 26545096},
	{"mambaout-s", 0, 224, 1000, 48488072},
	{"mambaout-b", 0, 224, 1000, 84813092},
	{"pmamba-l1", 0, 224, 1000, 7551656},
	{"pmamba-l1", 0, 224, 0, 7358656},
	{"pmamba-l2", 0, 224, 1000, 26145832},
	{"pmamba-l3", 0, 224, 1000, 50956456},
	{"pmamba-l3", 0, 224, 0, 50507456},
	{"pmamba-s", 4, 224, 100, 27973348},
	{"pmamba-b", 4, 224, 100, 106292068},
	{"vmamba-t", 0, 224, 100, 38375396},
	{"vmamba-t", 0, 224, 1000, 39297896},
	{"vmamba-t", 0, 32, 100, 38375396},
	{"vmamba-v0-t", 0, 224, 1000, 22893448},
	{"vmamba-v0-s", 0, 224, 1000, 44417416},
	{"vmamba-v0-b", 0, 224, 1000, 76254056},
	{"vmamba-t-s2l5", 4, 224, 1000, 30705832},
	{"vmamba-s-s2l15", 4, 224, 1000, 50147752},
	{"vmamba-b-s2l15", 4, 224, 1000, 88557800},
	{"vmamba-t-s1l8", 4, 224, 1000, 30249064},
	{"vmamba-s-s1l20", 4, 224, 1000, 49012840},
	{"vmamba-b-s1l20", 4, 224, 1000, 86614504},
	{"pmamba-t", 4, 224, 1000, 7898920},
	{"pmamba-s", 4, 224, 1000, 28319848},
	{"pmamba-b", 4, 224, 1000, 106984168},
	{"vim-t", 0, 224, 100, 6974308},
	{"vim-s", 0, 224, 100, 25450084},
	{"vim-t", 0, 224, 1000, 7148008},
	{"vim-s", 0, 224, 1000, 25796584},
	{"vim-t", 0, 224, 0, 6955008},
	{"vim-s", 0, 224, 0, 25411584},
	{"vim-t", 0, 32, 100, 6937444},
	{"vim-s", 0, 32, 100, 25376356},
	{"videomamba-t", 0, 224, 1000, 7148008},
	{"videomamba-s", 0, 224, 1000, 25796584},
	{"videomamba-m", 0, 224, 1000, 74217448},
	{"videomamba-b", 0, 224, 1000, 97598440},
	{"videomamba-t", 0, 224, 400, 7033744, 8},
	{"videomamba-s", 0, 224, 400, 25568656, 8},
	{"videomamba-m", 0, 224, 400, 73875856, 8},
	{"videomamba-t", 0, 224, 0, 6956544, 8},
	{"videomamba-s", 0, 224, 0, 25414656, 8},
	{"videomamba-m", 0, 224, 0, 73645056, 8},
	{"vim-t-12", 0, 224, 100, 3589732},
	{"vim-s-12", 0, 224, 100, 12930148},
	{"vim-t-12", 4, 224, 100, 7147300},
	{"vim-s-12", 4, 224, 100, 27123172},
};

/* Of the published language models; the head is the embedding. */
static const struct {
	const char *arch;
	int64_t parameters;
} languages[] = {
	{"mamba-130m", 129135360},
	{"mamba-370m", 371516416},
	{"mamba-790m", 793204224},
	{"mamba-1.4b", 1372178432},
	{"mamba-2.8b", 2768345600},
};

static void check_languages(void)
{
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		struct network_config c;

		ok(!network_find(languages[i].arch, &c) && count(&c) == languages[i].parameters,
			"%s: %lld", languages[i].arch, (long long)languages[i].parameters);
	}
}

static void check_published(void)
{
	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
		struct network_config c;
		int64_t n, head;

		if (network_find(published[i].arch, &c)) {
			ok(0, "%s is known", published[i].arch);
			continue;
		}
		network_add_mlp(&c, published[i].mlp_ratio);
		c.image = published[i].image;
		c.frames = published[i].frames;
		c.classes = published[i].classes ? published[i].classes : 1;
		head = published[i].classes ? 0 : network_out_dim(&c) + 1;
		n = count(&c) - head;
		if (!ok(n == published[i].parameters,
			    "%s, MLP %g, %lld frames of %lld pixels, %lld classes: %lld", c.arch,
			    c.mlp_ratio, (long long)network_frames(&c), (long long)c.image,
			    (long long)published[i].classes, (long long)published[i].parameters))
			diag("%lld parameters", (long long)n);
	}
}

static void check_stages(void)
{
	static const int64_t stage[] = {0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3};
	static const int64_t grid[] = {56, 28, 14, 7}, odd[] = {7, 4, 2, 1};
	struct network_config c;
	int bad = 0;

	network_find("vmamba-t", &c);
	for (int i = 0; i < c.depth; i++)
		bad += network_stage(&c, i) != stage[i] ||
		       network_layer_grid(&c, i) != grid[stage[i]] ||
		       network_layer_dim(&c, i) != (int64_t)128 << stage[i];
	ok(!bad && network_out_dim(&c) == 1024, "vmamba-t: stage, grid and width of each layer");
	c.image = 28;
	for (int i = 0; i < c.depth; i++)
		bad += network_layer_grid(&c, i) != odd[stage[i]];
	ok(!bad, "odd grids are rounded up");
	network_set_depth(&c, 11);
	ok(c.depth == 11 && c.stages[0] == 2 && c.stages[2] == 5 && c.stages[3] == 2,
		"another depth is the third stage's");
	network_find("pmamba-t", &c);
	ok(network_layer_dim(&c, 11) == 192 && network_layer_grid(&c, 11) == 14 &&
			network_out_dim(&c) == 192,
		"pmamba-t: all layers alike");
}

static int refused(const char *arch, void (*spoil)(struct network_config *c))
{
	struct network_config c;
	struct network *n;
	int status;

	network_find(arch, &c);
	spoil(&c);
	status = network_new(&n, &c, NULL);
	if (!status)
		network_free(n);
	return status == STATUS_DATA && !n;
}

static void no_grid(struct network_config *c)
{
	c->image = 33;
}

static void with_mlp(struct network_config *c)
{
	network_add_mlp(c, 4);
}

static void with_input(struct network_config *c)
{
	c->image = 224;
}

static void odd_heads(struct network_config *c)
{
	c->heads = 5;
}

static void odd_patch(struct network_config *c)
{
	c->patch = 1;
	c->image = 9;
}

static void even_kernel(struct network_config *c)
{
	c->kernel = 4;
}

static void odd_stride(struct network_config *c)
{
	c->stride = 7;
}

static void no_state(struct network_config *c)
{
	c->state = 0;
}

static void clips(struct network_config *c)
{
	c->frames = 8;
}

static void many_frames(struct network_config *c)
{
	c->frames = NETWORK_FRAMES + 1;
}

static void clips_overlap(struct network_config *c)
{
	c->frames = 2;
	c->stride = 8;
}

static void too_deep(struct network_config *c)
{
	c->depth = NETWORK_LAYERS + 1;
}

static void no_stage(struct network_config *c)
{
	network_set_depth(c, 6);
}

static void two_depths(struct network_config *c)
{
	c->depth--;
}

static void odd_width(struct network_config *c)
{
	c->dim = 95;
}

static void small_patch(struct network_config *c)
{
	c->patch = 2;
}

/* Every form, whatever the family: more settings are looked at. */
static int same_forms(const struct network_config *a, const struct network_config *b)
{
	if (network_reads_tokens(a))
		return mamba_closed_form(a) == mamba_closed_form(b);
	return deit_closed_form(a) == deit_closed_form(b) &&
	       plainmamba_closed_form(a) == plainmamba_closed_form(b) &&
	       vim_closed_form(a) == vim_closed_form(b) &&
	       vmamba_closed_form(a) == vmamba_closed_form(b);
}

int main(void)
{
	struct network_config c, back;
	char *text;

	check_closed_forms();
	check_published();
	check_languages();
	check_stages();
	ok(network_find("deit-x", &c) == STATUS_USAGE && strstr(error_message(), "vmamba-micro"),
		"an unknown name: the known ones are listed");
	ok(refused("deit-t", no_grid) && refused("pmamba-t", no_grid), "no multiple of the patch");
	ok(refused("deit-t", odd_heads), "a width that heads do not divide");
	ok(refused("pmamba-t", odd_patch), "an odd patch");
	ok(refused("pmamba-t", even_kernel), "an even kernel");
	ok(refused("pmamba-t", too_deep), "too many layers");
	ok(refused("vim-t", odd_stride), "a stride that does not reach the border");
	ok(refused("vim-t", no_state), "a scan without states");
	ok(refused("videomamba-t", no_state), "the same of VideoMamba");
	ok(refused("vim-t", clips) && refused("deit-t", clips), "clips for a network of images");
	ok(refused("videomamba-t", many_frames), "too many frames");
	ok(refused("videomamba-t", clips_overlap), "patches of clips that overlap");
	ok(refused("vmamba-t", no_stage) && refused("vmamba-t", even_kernel), "an empty stage");
	ok(refused("mamba-130m", no_state) && refused("mamba-130m", with_mlp) &&
			refused("mamba-130m", with_input),
		"a language model without states, with an MLP, with an input size");
	ok(refused("vmamba-t", two_depths), "stages that are not the depth");
	ok(refused("vmamba-t-s2l5", odd_width), "a width that cannot be halved");
	ok(refused("vmamba-t-s2l5", small_patch), "patches that two convolutions cannot make");
	for (int i = 0; network_at(i); i++) {
		c = *network_at(i);
		c.drop_path = 0.1;
		c.frames = 3;
		text = network_config_text(&c);
		ok(!network_config_read(&back, text) && !strcmp(c.arch, back.arch) &&
				same_forms(&c, &back) && c.heads == back.heads &&
				c.drop_path == back.drop_path && c.family == back.family,
			"%s: its config as JSON and back", c.arch);
		free(text);
	}
	ok(network_config_read(&back, "{\"arch\":\"x\",\"family\":\"deit\",\"dim\":1e300}") ==
			STATUS_DATA,
		"a config that is out of range is refused");
	ok(network_config_read(&back, "{\"arch\":\"x\",\"family\":\"deit\",\"dim\":2.5}") ==
			STATUS_DATA,
		"a config with a broken number is refused");
	ok(network_config_read(&back, "[1]") == STATUS_DATA, "a list is no config");
	return done();
}
