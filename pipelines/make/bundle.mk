# One archive of the programs and the libraries they need beyond glibc: unpack anywhere, run from bin/.
# For machines without root: build here, run on the GPU node. Takes the CUDA library along where it is
# built; BUNDLE_CUDA=1 also CUDA's own libraries (about 1 GB).

BUNDLE := transmamba-$(VERSION)-$(MACHINE)
BUNDLE_CUDA ?= 0
.PHONY: bundle
bundle: test-tools-built ## build/transmamba-VERSION-MACHINE.tar.gz: programs and libraries, relocatable
	@pipelines/make/bundle build/$(BUNDLE) $(BIN) $(BUNDLE_CUDA)
	@tar -C build -czf build/$(BUNDLE).tar.gz $(BUNDLE)
	@rm -rf build/$(BUNDLE)
	@echo "build/$(BUNDLE).tar.gz"
.PHONY: test-tools-built
test-tools-built:
	@$(MAKE) --no-print-directory $(PARALLEL) all
