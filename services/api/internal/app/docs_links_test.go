package app_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/queuestatetransfer/qst/services/api/internal/config"
)

// What the documents point at is there: the files and sections of their links, the
// files and make targets between backticks, and the service's variables.
func TestDocumentsPointAtWhatIsThere(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(repository, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"QST_DOMAIN": true} // of deploy/one-machine/compose.yaml
	for _, v := range config.Variables() {
		known[v.Name], known[v.Name+"_FILE"] = true, v.Secret
	}
	pages := markdown(t)
	links, paths, targets, variables := 0, 0, 0, 0
	for file, p := range pages {
		for _, link := range p.links {
			u, err := url.Parse(strings.TrimPrefix(link, "https://github.com/queuestatetransfer/qst/blob/main/"))
			if err != nil {
				t.Errorf("%s: link %s: %v", file, link, err)
				continue
			}
			if u.Scheme != "" || u.Host != "" {
				continue // that is for others to keep
			}
			links++
			target := file
			switch {
			case u.Path == "":
			case u.String() != link:
				target = u.Path
			default:
				target = filepath.Join(filepath.Dir(file), u.Path)
			}
			if !exists(target) {
				t.Errorf("%s: link %s: there is no %s", file, link, target)
			} else if to, ok := pages[target]; ok && u.Fragment != "" && !slices.Contains(to.anchors, u.Fragment) {
				t.Errorf("%s: link %s: %s has no such section", file, link, target)
			}
		}
		for _, span := range p.spans {
			for _, dir := range []string{"", filepath.Dir(file)} {
				first, _, isPath := strings.Cut(span, "/")
				if !isPath || first == "" || made.MatchString(span) || !repositoryPath.MatchString(span) || !exists(filepath.Join(dir, first)) {
					continue
				}
				paths++
				if !exists(filepath.Join(dir, span)) {
					t.Errorf("%s: `%s`: there is no such file", file, span)
				}
				break
			}
		}
		for _, code := range slices.Concat(p.spans, p.code) {
			for _, m := range makeTarget.FindAllStringSubmatch(code, -1) {
				targets++
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(m[1]) + `:`).Match(makefile) {
					t.Errorf("%s: make %s: the Makefile has no such target", file, m[1])
				}
			}
		}
		for _, name := range serviceVariable.FindAllString(p.source, -1) {
			variables++
			if !known[name] && !strings.HasPrefix(name, "QST_TEST_") {
				t.Errorf("%s: %s: the service has no such variable", file, name)
			}
		}
	}
	if links < 30 || paths < 30 || targets < 10 || variables < 50 {
		t.Errorf("found %d links, %d paths, %d make targets and %d variables: this test no longer sees them", links, paths, targets, variables)
	}
}

var (
	repositoryPath  = regexp.MustCompile(`^[\w.*/-]+$`)
	makeTarget      = regexp.MustCompile(`(?m)(?:^|^\$ |^.*= ?\S+ )make ([a-z0-9]+)`)
	serviceVariable = regexp.MustCompile(`\bQST_[A-Z][A-Z0-9_]*[A-Z0-9]\b`)
)

// made are paths that a fresh clone doesn't have.
var made = regexp.MustCompile(`^(bin|loadtest/results)/`)

func exists(pattern string) bool {
	found, err := filepath.Glob(filepath.Join(repository, pattern))
	return err == nil && len(found) > 0
}

// page is what a Markdown document has to be checked.
type page struct {
	source  string
	links   []string
	anchors []string // of its headings
	spans   []string // between backticks
	code    []string // blocks
}

// markdown reads all of the repository's Markdown documents.
func markdown(t *testing.T) map[string]page {
	t.Helper()
	pages := map[string]page{}
	err := filepath.WalkDir(repository, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin", "results", "node_modules"}, d.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(file) != ".md" {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repository, file)
		pages[name] = parsePage(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func parsePage(source []byte) page {
	p := page{source: string(source)}
	for _, b := range blocks(source) {
		p.code = append(p.code, b.text)
	}
	_ = ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.AutoLink:
			p.links = append(p.links, string(n.URL(source)))
		case *ast.CodeSpan:
			p.spans = append(p.spans, plain(n, source))
		case *ast.Heading:
			p.anchors = append(p.anchors, anchor(plain(n, source)))
		}
		return ast.WalkContinue, nil
	})
	return p
}

// plain returns the text of what stands below a node.
func plain(n ast.Node, source []byte) (s string) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			s += string(t.Segment.Value(source))
		} else {
			s += plain(c, source)
		}
	}
	return s
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
