package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"avsproxy/internal/testkit"
)

// public are the packages that other programs may use one day.
var public = []string{"proxy", "tokens"}

func TestPublicNamesAreDocumented(t *testing.T) {
	for _, dir := range public {
		for _, name := range undocumented(t, dir) {
			t.Errorf("%s has no comment", name)
		}
	}
}

func undocumented(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	set := token.NewFileSet()
	for _, path := range files {
		if matched, _ := filepath.Match("*_test.go", filepath.Base(path)); matched {
			continue
		}
		file := testkit.Must(parser.ParseFile(set, path, nil, parser.ParseComments))(t)
		for _, decl := range file.Decls {
			for _, ident := range bare(decl) {
				names = append(names, set.Position(ident.Pos()).String()+": "+ident.Name)
			}
		}
	}
	return names
}

// bare returns the exported names of a declaration that have no comment.
func bare(decl ast.Decl) []*ast.Ident {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Name.IsExported() && receiverIsExported(decl) && decl.Doc == nil {
			return []*ast.Ident{decl.Name}
		}
	case *ast.GenDecl:
		var names []*ast.Ident
		for _, spec := range decl.Specs {
			names = append(names, bareSpec(spec, decl.Doc)...)
		}
		return names
	}
	return nil
}

// receiverIsExported tells methods that users can see from the others.
func receiverIsExported(decl *ast.FuncDecl) bool {
	if decl.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(decl.Recv.List[0].Type, func(n ast.Node) bool {
		if ident, ok := n.(*ast.Ident); ok && !exported {
			exported = ident.IsExported()
			return false
		}
		return true
	})
	return exported
}

// bareSpec lets the comment of a group, or one at the end of the line, do for
// constants and variables.
func bareSpec(spec ast.Spec, group *ast.CommentGroup) []*ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil && group == nil {
			return []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if spec.Doc != nil || spec.Comment != nil || group != nil {
			return nil
		}
		var names []*ast.Ident
		for _, name := range spec.Names {
			if name.IsExported() {
				names = append(names, name)
			}
		}
		return names
	}
	return nil
}
