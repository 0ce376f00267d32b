/* The types that our files hold. */
#include "lib/io/h5_internal.h"

#include <string.h>
#include "lib/io/utf8.h"

static const struct {
	const char *name;
	size_t size;
} types[] = {
	[H5_F32] = {"f32", 4},
	[H5_F64] = {"f64", 8},
	[H5_F16] = {"f16", 2},
	[H5_BF16] = {"bf16", 2},
	[H5_I32] = {"i32", 4},
	[H5_I64] = {"i64", 8},
	[H5_U8] = {"u8", 1},
	[H5_U64] = {"u64", 8},
	[H5_TEXT] = {"text", sizeof(char *)},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

size_t h5_type_size(enum h5_type type)
{
	return types[type].size;
}

const char *h5_type_name(enum h5_type type)
{
	return types[type].name;
}

/* A float of 16 bits: `mantissa` bits below `exponent` bits. */
static hid_t float16(size_t exponent, size_t mantissa, size_t bias)
{
	hid_t t = H5Tcopy(H5T_IEEE_F32LE);

	if (t < 0 || H5Tset_fields(t, 15, mantissa, exponent, 0, mantissa) < 0 ||
		H5Tset_size(t, 2) < 0 || H5Tset_ebias(t, bias) < 0)
		return -1;
	return t;
}

static hid_t text(void)
{
	hid_t t = H5Tcopy(H5T_C_S1);

	if (t < 0 || H5Tset_size(t, H5T_VARIABLE) < 0 || H5Tset_cset(t, H5T_CSET_UTF8) < 0)
		return -1;
	return t;
}

hid_t h5_file_type(enum h5_type type)
{
	static hid_t made[TYPES];

	if (!made[H5_F16]) {
		made[H5_F32] = H5T_IEEE_F32LE;
		made[H5_F64] = H5T_IEEE_F64LE;
		made[H5_BF16] = float16(8, 7, 127);
		made[H5_I32] = H5T_STD_I32LE;
		made[H5_I64] = H5T_STD_I64LE;
		made[H5_U8] = H5T_STD_U8LE;
		made[H5_U64] = H5T_STD_U64LE;
		made[H5_TEXT] = text();
		made[H5_F16] = float16(5, 10, 15);
	}
	return made[type];
}

int h5_type_of(hid_t datatype, enum h5_type *type)
{
	if (H5Tget_class(datatype) == H5T_STRING) {
		*type = H5_TEXT;
		return 0;
	}
	for (unsigned i = 0; i < H5_TEXT; i++)
		if (H5Tequal(datatype, h5_file_type(i)) > 0) {
			*type = i;
			return 0;
		}
	return -1;
}

/* Names are links of the root: no path, nothing that a terminal would act on. */
int h5_name_valid(const char *name)
{
	if (!name[0] || strlen(name) > 1000 || !strcmp(name, ".") || strchr(name, '/'))
		return 0;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return 0;
	return utf8_valid(name);
}
