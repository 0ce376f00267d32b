# For pipelines/make/plan: one line a stage on standard input, as make -n prints it.

BEGIN {
	OFS = "\t"
	read_sizes("data/SIZES")
	n = split(gpu, files, " ")
	for (i = 1; i <= n; i++)
		read_gpu(files[i])
	read_seconds("results/stages.tsv")
	read_bench("results/bench.tsv")
	read_bench("results/archive.tsv")
	if (!wanted)
		print "stage", "hours", "gpu_mib", "cpu_plan_mib", "disk_mb", "because"
}

# --- what is known ---

function read_sizes(file,    line, f) {
	while ((getline line < file) > 0)
		if (line !~ /^#/ && split(line, f, "\t") >= 5) {
			size_images[f[1]] = f[2]
			size_bytes[f[1]] = f[3]
			size_classes[f[1]] = f[4]
			size_most[f[1]] = f[5]
		}
	close(file)
}

# work, arch, teacher, batch, precision, device, ms, images_per_s, joules_per_image, memory_mib
function read_gpu(file,    line, f, method, mlp, key) {
	while ((getline line < file) > 0 && line != "") {
		if (split(line, f, "\t") < 10 || f[1] == "work")
			continue
		method = f[1] ~ / forward/ ? "forward" : "task"
		if (match(f[1], /, (rc|wsab|feature|logits)/))
			method = substr(f[1], RSTART + 2, RLENGTH - 2)
		mlp = f[1] ~ /MLP 4/ ? 4 : 0
		key = f[2] SUBSEP mlp SUBSEP f[3] SUBSEP method SUBSEP f[5]
		rate[key] = f[8]
		rate_mib[key] = f[10]
		rate_from[key] = f[8] " images/s (batch " f[4] ", " f[5] ", " f[6] ", " file ")"
	}
	close(file)
}

# what, seconds: whole stages that do not grow with the data
function read_seconds(file,    line, f) {
	while ((getline line < file) > 0)
		if (split(line, f, "\t") >= 2)
			seconds[f[1]] = f[2]
	close(file)
}

function read_bench(file,    line, f) {
	while ((getline line < file) > 0)
		if (split(line, f, "\t") >= 3)
			bench[f[1]] = f[3]
	close(file)
}

# --- one command ---

# Word i of the stage's line is the program; args from there on
function parse(    i) {
	delete arg
	args = 0
	target = $2
	for (i = 3; i <= NF && index($i, bin "/") != 1; i++)
		;
	tool = substr($i, length(bin) + 2)
	for (i++; i <= NF && $i != ">"; i++)
		arg[++args] = $i
	output = ""
	for (i = 1; i < args; i++)
		if (arg[i] == "-o")
			output = arg[i + 1]
}

function option(name,    i) {
	for (i = args; i > 0; i--)
		if (arg[i] == name)
			return arg[i + 1]
	return ""
}

function has(name,    i) {
	for (i = 1; i <= args; i++)
		if (arg[i] == name)
			return 1
	return 0
}

# Settings of the recipes, later files and --set last
function settings(    i, line, f) {
	delete set
	recipes = ""
	for (i = 1; i <= args; i++)
		if (arg[i] == "--recipe") {
			recipes = recipes " --recipe " arg[i + 1]
			while ((getline line < arg[i + 1]) > 0) {
				sub(/#.*/, "", line)
				if (split(line, f, /[ \t]*=[ \t]*/) == 2) {
					gsub(/^[ \t]+|[ \t]+$/, "", f[1])
					gsub(/[ \t]+$/, "", f[2])
					set[f[1]] = f[2]
				}
			}
			close(arg[i + 1])
		}
	for (i = 1; i <= args; i++)
		if (arg[i] == "--set" && split(arg[i + 1], f, "=") == 2)
			set[f[1]] = f[2]
	if (option("--method") != "")
		set["method"] = option("--method")
	if (option("--precision") != "")
		set["precision"] = option("--precision")
	if (!("precision" in set))
		set["precision"] = "fp32"
}

# Shape options of a network, for init-weights --list and bench-step
function shape_options(    i, s) {
	for (i = 1; i < args; i++)
		if (arg[i] ~ /^--(classes|mlp-ratio|input|patch|depth)$/)
			s = s " " arg[i] " " arg[i + 1]
	return s
}

function parameters_of(name, options,    command, line, f, key) {
	key = name options
	if (!(key in listed)) {
		command = bin "/init-weights --list" options
		while ((command | getline line) > 0)
			if (split(line, f, "\t") > 2)
				listed[f[1] options] = f[2]
		close(command)
	}
	return listed[key]
}

# What a training needs by its plan, MiB; "-" where bench-step cannot say it
function planned(name, options, teacher_name,    command, line, f, mib) {
	if (options ~ /--patch/ || (teacher_name && teacher_options ~ /--patch/))
		return "-"
	gsub(/ --classes [0-9]+/, "", options)
	command = bin "/bench-step --device cpu --dry-run --arch " name options recipes
	command = command (teacher_name ? " --teacher " teacher_name : "") " --set method=" set["method"] \
		" 2>/dev/null"
	if (!(command in plans)) {
		mib = "-"
		while ((command | getline line) > 0)
			if (split(line, f, "\t") == 2 && f[1] == "all")
				mib = f[2]
		close(command)
		plans[command] = mib
	}
	return plans[command]
}

function copy_network(to, from) {
	network[to] = network[from]
	shape[to] = shape[from]
	parameters[to] = parameters[from]
}

function mlp_of(file) {
	return match(shape[file], /--mlp-ratio [0-9.]+/) ? substr(shape[file], RSTART + 12, RLENGTH - 12) + 0 : 0
}

function mb(values) {
	return values / 1e6
}

# --- a line of the plan ---

function row(hours, gpu_mib, cpu_mib, disk, because) {
	stages++
	if (hours == "-")
		unknown++
	else
		total += hours
	total_disk += disk
	if (!wanted)
		print substr(target, 7), hours == "-" ? "-" : sprintf("%.3f", hours), gpu_mib, cpu_mib,
			sprintf("%.0f", disk), because
}

# The rate of a training or, with method forward, an evaluation; "" and a line of what is wanted
function rate_of(file, teacher_file, method,    key, name) {
	key = network[file] SUBSEP mlp_of(file) SUBSEP (teacher_file ? network[teacher_file] : "-") SUBSEP \
		method SUBSEP set["precision"]
	if (key in rate)
		return key
	if (wanted && !(key in asked)) {
		asked[key] = 1
		name = network[file] (method == "forward" ? " forward" : method == "task" ? " alone" : ", " method)
		name = name (mlp_of(file) ? ", MLP " mlp_of(file) : "")
		print name, "--arch " network[file] shape[file] (teacher_file ? " --teacher " network[teacher_file] : "") \
			(method == "forward" ? " --forward --set batch=256" : recipes " --set method=" method) \
			" --precision " set["precision"]
	}
	return ""
}

function no_rate(file, teacher_file, method) {
	return "no measured rate of " network[file] (mlp_of(file) ? " with MLP " mlp_of(file) : "") \
		(teacher_file ? " taught by " network[teacher_file] : "") ", " method ", " set["precision"]
}

function images_of(file) {
	return (bound[file] ? "at most " : "") count[file]
}

# --- stages ---

function stage_images(    i, input, known, share, k, line, list, key, hours, because) {
	input = arg[1] ~ /^--/ ? "" : arg[1]
	for (i = 1; i <= args && input == ""; i++)
		if (arg[i] !~ /^--/ && (i == 1 || arg[i - 1] !~ /^--/ || arg[i - 1] == "--no-labels"))
			input = arg[i]
	if (input in count) {
		share = option("--share") == "" ? 1 : option("--share") + 0
		if (option("--share") ~ /\//) {
			split(option("--share"), part, "/")
			share = part[1] / part[2]
		}
		count[output] = int(count[input] * share) - option("--holdout")
		bytes[output] = bytes[input] * share
		bound[output] = bound[input]
		stored[output] = stored[input]
		key = stored[input] == "files" ? "packing files, structure" : ""
		because = images_of(input) " images x " share
		if (key && rated_by(key) > 0) {
			hours = bytes[input] / 1e6 / bench[key] / 3600
			because = because sprintf(", %.0f MB / %s MB/s (results/archive.tsv)", mb(bytes[input]), bench[key])
		} else {
			hours = "-"
			because = because ", no measured rate"
		}
		row(hours, "-", "-", mb(bytes[output]), because)
	} else {
		known = input
		sub("^" data "/", "", known)
		if (!(known in size_images)) {
			count[output] = shapes[input]
			bytes[output] = shapes[input] * 3074
			stored[output] = "pixels"
			row("-", "-", "-", mb(bytes[output]), shapes[input] " images, no measured rate")
		} else {
			stored[output] = known ~ /^cifar/ ? "pixels" : "files"
			count[output] = size_images[known]
			bytes[output] = size_bytes[known]
			list = option("--classes")
			for (k = 0; list != "" && (getline line < list) > 0;)
				k += line !~ /^#/ && line != ""
			if (list != "")
				close(list)
			if (k && k < size_classes[known]) {
				count[output] = k * size_most[known]
				bound[output] = size_most[known] * size_classes[known] != size_images[known]
				bytes[output] = size_bytes[known] * k / size_classes[known]
			}
			key = stored[output] == "files" ? "packing an archive, decode" : "packing CIFAR-100"
			because = images_of(output) " images"
			if (rated_by(key) > 0 && bytes[output] > 0) {
				hours = bytes[output] / 1e6 / bench[key] / 3600
				because = because sprintf(", %.0f MB / %s MB/s (results/archive.tsv)",
					mb(bytes[output]), bench[key])
			} else {
				hours = "-"
				because = because ", no measured rate"
			}
			row(hours, "-", "-", mb(bytes[output]) * (known ~ /\.tar$/ ? 2 : 1),
				because (known ~ /\.tar$/ ? "; disk: parts and whole" : ""))
		}
	}
	if (option("--holdout-output") != "") {
		count[option("--holdout-output")] = option("--holdout")
		stored[option("--holdout-output")] = stored[output]
	}
}

function rated_by(key) {
	return key in bench ? bench[key] : 0
}

# Whole stages whose time depends on the network alone
function stage_weights(key, disk) {
	if (key in seconds)
		row(seconds[key] / 3600, "-", "-", disk, seconds[key] " s (results/stages.tsv)")
	else
		row("-", "-", "-", disk, "seconds; not measured: " key)
}

function stage_training(    file, teacher_file, key, eval_key, images, hours, because, disk, top, valid, epochs) {
	settings()
	file = option("--init")
	copy_network(output, file)
	copy_network(option("--best"), file)
	teacher_file = set["method"] == "task" ? "" : option("--teacher")
	teacher_options = shape[teacher_file]
	epochs = set["epochs"] ? set["epochs"] : 1
	images = count[option("--data")]
	valid = option("--valid") != "" ? count[option("--valid")] : 0
	# weights, best weights, and the state with its one or two moments
	disk = parameters[file] * 4 / 1e6 * (1 + (option("--best") != "") + (set["optimizer"] == "sgd" ? 2 : 3))
	key = rate_of(file, teacher_file, set["method"])
	eval_key = valid ? rate_of(file, "", "forward") : ""
	if (key == "" || (valid && eval_key == "")) {
		row("-", key == "" ? "-" : rate_mib[key], wanted ? "-" : planned(network[file], shape[file],
			teacher_file ? network[teacher_file] : ""), disk,
			(key == "" ? no_rate(file, teacher_file, set["method"]) : no_rate(file, "", "forward")) \
			sprintf(": %s epochs x %s images", epochs, images_of(option("--data"))))
		return
	}
	top = rate[key]
	because = epochs " x " images_of(option("--data")) " images / " rate_from[key]
	if (stored[option("--data")] == "files" && rated_by(jpeg) && bench[jpeg] * cores() < top) {
		top = bench[jpeg] * cores()
		because = epochs " x " images_of(option("--data")) " images / " top " images/s of input (" \
			cores() " cores x " bench[jpeg] ", results/bench.tsv), less than " rate_from[key]
	}
	hours = epochs * images / top / 3600
	if (valid) {
		hours += epochs * valid / rate[eval_key] / 3600
		because = because " + " epochs " x " valid " / " rate_from[eval_key]
	}
	row(hours, rate_mib[key], wanted ? "-" : planned(network[file], shape[file],
		teacher_file ? network[teacher_file] : ""), disk, because)
}

function cores() {
	return 16
}

function stage_calibration(    disk) {
	settings()
	disk = 0
	row("-", "-", "-", disk, "no measured rate of calibrate: " images_of(option("--data")) " images")
}

function stage_evaluation(    key, images) {
	settings()
	images = count[option("--data")] * (option("--best") != "" ? 2 : 1)
	key = rate_of(option("--weights"), "", "forward")
	if (key == "")
		row("-", "-", "-", 0, no_rate(option("--weights"), "", "forward"))
	else
		row(images / rate[key] / 3600, rate_mib[key], "-", 0, images " images / " rate_from[key])
}

# Published weights that are used as they are
$1 == "ln" {
	copy_network($4, $3)
	next
}

{
	jpeg = "JPEG 500 x 375 to augmented 224 tensor, a core"
	parse()
	if (tool == "make-shapes") {
		shapes[output] = option("--count")
		row("-", "-", "-", mb(option("--count") * 3074), option("--count") " images, no measured rate")
	} else if (tool == "pack-images") {
		stage_images()
	} else if (tool == "init-weights" || tool == "import-weights") {
		network[output] = option("--arch")
		shape[output] = shape_options()
		parameters[output] = parameters_of(network[output], shape[output])
		stage_weights(tool " " network[output], parameters[output] * 4 / 1e6)
	} else if (tool == "subclone-weights") {
		copy_network(output, option("--student"))
		copy_network(option("--before"), option("--before"))
		stage_weights(tool " " network[output], parameters[output] * 4 / 1e6)
	} else if (tool == "distill-step") {
		stage_training()
	} else if (tool == "calibrate") {
		stage_calibration()
	} else if (tool == "eval-cls") {
		stage_evaluation()
	}
}

END {
	if (wanted)
		exit
	print ""
	printf "%s: %d stages; %.1f hours of those with measured rates, %d without; %.1f GB of disk\n", table, stages,
		total, unknown, total_disk / 1000
}
