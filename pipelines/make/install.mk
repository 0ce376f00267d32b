# Installing: the tools, their man pages (from --help) and completion for bash.
#
#	make install PREFIX=$HOME/.local	(the default)
#	make install PREFIX=/usr DESTDIR=/tmp/package

DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man/man1
DOCDIR ?= $(PREFIX)/share/doc/transmamba
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

TOOL_BIN := $(TOOLS:%=$(BIN)/%)
MAN := $(TOOLS:%=build/man/%.1)
COMPLETION := build/completion/transmamba
HELP2MAN := $(shell command -v help2man)

.PHONY: man completion install uninstall dist
man: $(MAN) ## man pages in build/man
$(MAN): build/man/%.1: $(BIN)/%
	@mkdir -p $(@D); echo "  MAN $*"
	$(Q)help2man --no-info --section=1 --source="transmamba $(VERSION)" --manual="transmamba" \
		--output=$@ $<

completion: $(COMPLETION)
$(COMPLETION): pipelines/make/completion $(TOOL_BIN)
	@mkdir -p $(@D); echo "  COMPLETION $@"
	$(Q)pipelines/make/completion $(TOOL_BIN) > $@

install: all $(COMPLETION) $(if $(HELP2MAN),$(MAN)) ## PREFIX=, DESTDIR=: tools, man pages, completion
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR) $(DOCDIR) $(COMPLETIONDIR))
	install -m 755 $(TOOL_BIN) $(DESTDIR)$(BINDIR)
	$(if $(HELP2MAN),install -m 644 $(MAN) $(DESTDIR)$(MANDIR),@echo "no help2man here: no man pages (make deps-develop)")
	install -m 644 $(COMPLETION) $(DESTDIR)$(COMPLETIONDIR)
	for tool in $(TOOLS); do ln -sf transmamba $(DESTDIR)$(COMPLETIONDIR)/$$tool; done
	install -m 644 LICENSE README.md CITATION.cff CHANGELOG.md $(DESTDIR)$(DOCDIR)

uninstall: ## remove what install put there
	rm -f $(TOOLS:%=$(DESTDIR)$(BINDIR)/%) $(TOOLS:%=$(DESTDIR)$(MANDIR)/%.1)
	rm -f $(TOOLS:%=$(DESTDIR)$(COMPLETIONDIR)/%) $(DESTDIR)$(COMPLETIONDIR)/transmamba
	rm -rf $(DESTDIR)$(DOCDIR)

dist: ## a source archive of the last commit in build/
	@mkdir -p build
	git archive --prefix=transmamba-$(VERSION)/ HEAD | gzip -9n > build/transmamba-$(VERSION).tar.gz
