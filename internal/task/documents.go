package task

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

const documentsDo = "list the documents by path or glob, such as: documents: [handbook/**/*.md, {files: hr/*.md, groups: [hr]}]"

// documents expands the globs. A pattern that starts with ! takes files away again, whatever its place in the list. access
// says which groups may read a document that an entry with groups matches, also where an open entry matches it as well: who
// may read what is never decided by an oversight in the open direction.
func (r *reader) documents(s section) (files []string, access map[string][]string) {
	plain, closed := r.documentEntries(s)
	found := r.matched(plain)
	given := map[string]pos{} // the entry that gave a document its groups
	for _, e := range closed {
		for _, path := range slices.Sorted(maps.Keys(r.matched(e.files))) {
			if before, twice := given[path]; twice && !slices.Equal(access[path], e.groups) {
				r.fail(e.at, fmt.Sprintf("%s has other groups by line %d already", r.shownPath(path), before.line),
					"let one entry match it; a pattern with ! in files takes it out of an entry")
				break // one such file of an entry says it all
			}
			if access == nil {
				access = map[string][]string{}
			}
			given[path], access[path], found[path] = e.at, e.groups, true
		}
	}
	for _, it := range plain {
		if rest, out := strings.CutPrefix(it.text, "!"); out {
			r.without(found, rest)
		}
	}
	for path := range found {
		files = append(files, path)
	}
	for path := range access {
		if !found[path] {
			delete(access, path)
		}
	}
	slices.Sort(files)
	if n := s.get("documents"); n != nil && len(files) == 0 && len(r.errs) == 0 {
		r.fail(n.at, "the patterns with ! leave no document", "take one of them out")
	}
	if files == nil {
		files = []string{}
	}
	return files, access
}

// closedFiles is an entry of documents with groups.
type closedFiles struct {
	files  []item
	groups []string
	at     pos
}

// documentEntries parts the entries into patterns for everybody and entries with groups.
func (r *reader) documentEntries(s section) (plain []item, closed []closedFiles) {
	n := s.get("documents")
	if n == nil {
		return nil, nil
	}
	if n.kind == mappingKind {
		n = &node{kind: listKind, at: n.at, items: []*node{n}}
	}
	texts := &node{kind: n.kind, at: n.at, text: n.text}
	for i, it := range n.items {
		if it.kind != mappingKind {
			texts.items = append(texts.items, it)
			continue
		}
		path := fmt.Sprintf("documents[%d]", i)
		r.at[path] = it.at
		if e, ok := r.closedEntry(it, path); ok {
			closed = append(closed, e)
		}
	}
	if n.kind == listKind && len(texts.items) == 0 && len(n.items) > 0 {
		return nil, closed
	}
	s.values = map[string]*node{"documents": texts}
	return s.list("documents", true, documentsDo), closed
}

// groupRule keeps the names of groups apart from what separates them in headers and tokens.
var groupRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]*$`)

func (r *reader) closedEntry(n *node, path string) (closedFiles, bool) {
	const filesDo, groupsDo = "name the files by path or glob, such as: files: hr/**/*.md", "list the groups that may read them, such as: groups: [hr]"
	faults := len(r.errs)
	m := r.section(n, path, "documents[]")
	m.need("files", filesDo)
	m.need("groups", groupsDo)
	e := closedFiles{files: m.list("files", true, filesDo), at: n.at}
	for _, it := range m.list("groups", true, groupsDo) {
		switch {
		case !groupRule.MatchString(it.text) || len(it.text) > 100:
			r.fail(it.at, fmt.Sprintf("%q cannot be the name of a group", it.text), "use letters, digits and . _ : @ / -")
		case slices.Contains(e.groups, it.text):
			r.fail(it.at, it.text+" is listed twice", "keep it once")
		default:
			e.groups = append(e.groups, it.text)
		}
	}
	slices.Sort(e.groups)
	return e, len(r.errs) == faults
}

// matched are the files that the patterns of one entry match, without those that a pattern with ! takes out.
func (r *reader) matched(patterns []item) map[string]bool {
	found := map[string]bool{}
	for _, it := range patterns {
		if rest, out := strings.CutPrefix(it.text, "!"); !out {
			r.expand(it, found)
		} else if !doublestar.ValidatePattern(filepath.ToSlash(rest)) {
			r.badGlob(it)
		}
	}
	for _, it := range patterns {
		if rest, out := strings.CutPrefix(it.text, "!"); out {
			r.without(found, rest)
		}
	}
	return found
}

func (r *reader) without(found map[string]bool, pattern string) {
	pattern = r.abs(pattern)
	for path := range found {
		if ok, _ := doublestar.PathMatch(pattern, path); ok {
			delete(found, path)
		}
	}
}

func (r *reader) shownPath(path string) string {
	if rel, err := filepath.Rel(r.dir, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}
