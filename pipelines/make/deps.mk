# Packages. Goals that build something look whether one is missing and have it installed first, by
# way of an included makefile: Make starts again after making it and finds what was installed.
# NO_DEPS=1 leaves this out.

.PHONY: deps deps-develop deps-cluster doctor
deps: ## install the packages that building and testing need (apt)
	@$(LIBRARIES_FROM) pipelines/make/deps build test
deps-develop: ## the same for `make check`, `make test-full` and `make man`
	@$(LIBRARIES_FROM) pipelines/make/deps build test develop
deps-cluster: ## the same for `make test-cluster`: a Slurm that the test starts by itself
	@$(LIBRARIES_FROM) pipelines/make/deps build test cluster
doctor: ## what was found on this machine, for bug reports
	@$(LIBRARIES_FROM) DOCTOR_CFLAGS='$(STD) $(PKG_CFLAGS)' DOCTOR_LIBS='$(ALL_LIBS)' \
	DESCRIBE='$(DESCRIBE)' pipelines/make/doctor

DEPS_BUILDING := $(filter-out help clean dist deps deps-develop deps-cluster doctor uninstall,$(MAKECMDGOALS))
DEPS_GROUPS := build $(if $(filter test%,$(MAKECMDGOALS)),test) \
	$(if $(filter test-cluster,$(MAKECMDGOALS)),cluster) \
	$(if $(filter check% test-full man,$(MAKECMDGOALS)),develop)
DEPS_DRY_RUN := $(findstring n,$(filter-out -% %=%,$(firstword $(MAKEFLAGS))))
ifneq ($(DEPS_BUILDING),)
ifeq ($(NO_DEPS)$(DEPS_DRY_RUN)$(MAKE_RESTARTS),)
ifneq ($(shell $(LIBRARIES_FROM) pipelines/make/deps --list $(DEPS_GROUPS)),)
build/deps-installed.mk: FORCE
	@$(LIBRARIES_FROM) pipelines/make/deps $(DEPS_GROUPS)
	@mkdir -p $(@D); touch $@
include build/deps-installed.mk
endif
endif
endif
