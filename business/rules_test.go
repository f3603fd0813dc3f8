package business

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRulesAreAllNamed: Rules has every name that a decision is given here, and no
// other one. docs/rules.md and the metrics rest on that.
func TestRulesAreAllNamed(t *testing.T) {
	s := source(t)
	named := map[string]bool{"": true}
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i := s.takesRule(n.Fun); i >= 0 && i < len(n.Args) {
					s.name(t, n.Args[i], named)
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Rule" {
					s.name(t, n.Value, named)
				}
			}
			return true
		})
	}
	if len(named) < 2 {
		t.Fatal("no rules found")
	}
	if got, want := slices.Sorted(maps.Keys(named)), slices.Sorted(slices.Values(Rules())); !slices.Equal(got, want) {
		t.Errorf("rules that decide are %q, Rules says %q", got, want)
	}
}

// sources are the files of this package, as they are written.
type sources struct {
	set   *token.FileSet
	files []*ast.File
	place map[string]int           // of a function's parameter rule
	texts map[string]*ast.BasicLit // constants
}

func source(t *testing.T) *sources {
	t.Helper()
	s := &sources{set: token.NewFileSet(), place: make(map[string]int), texts: make(map[string]*ast.BasicLit)}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(s.set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				i := 0
				for _, field := range d.Type.Params.List {
					for _, p := range field.Names {
						if p.Name == "rule" {
							s.place[d.Name.Name] = i
						}
						i++
					}
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					v, ok := spec.(*ast.ValueSpec)
					for i := 0; ok && d.Tok == token.CONST && i < min(len(v.Names), len(v.Values)); i++ {
						if text, ok := v.Values[i].(*ast.BasicLit); ok {
							s.texts[v.Names[i].Name] = text
						}
					}
				}
			}
		}
	}
	return s
}

// takesRule gives at which place a function takes a rule; -1: it takes none.
func (s *sources) takesRule(fun ast.Expr) int {
	name := ""
	switch fun := fun.(type) {
	case *ast.Ident:
		name = fun.Name
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	}
	if i, ok := s.place[name]; ok {
		return i
	}
	return -1
}

// name notes what rule is given: a text, a constant, or what was given to the one who gives it.
func (s *sources) name(t *testing.T, given ast.Expr, named map[string]bool) {
	t.Helper()
	switch e := given.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		named[text] = true
		return
	case *ast.Ident:
		if text, ok := s.texts[e.Name]; ok {
			s.name(t, text, named)
			return
		}
		if e.Name == "rule" {
			return
		}
	case *ast.SelectorExpr:
		if e.Sel.Name == "Rule" {
			return
		}
	}
	t.Errorf("%s: which rule is it?", s.set.Position(given.Pos()))
}
