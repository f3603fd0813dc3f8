package notice

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// Bounds of an expression. There are no loops and no variables in one, so its length
// bounds its cost.
const (
	maxSource = 500  // bytes
	maxNodes  = 100  // of its tree
	maxMemory = 1000 // elements made on the way
)

// seen is what an expression knows of a notice.
type seen struct {
	Kind     string            `expr:"kind"`
	Severity string            `expr:"severity"`
	Source   string            `expr:"source"`
	Subject  string            `expr:"subject"`
	Text     string            `expr:"text"`
	Role     string            `expr:"role"`
	People   []string          `expr:"people"`
	Fields   map[string]string `expr:"fields"`
}

// refuse finds what makes more steps than an expression has letters.
type refuse struct{ found bool }

// Visit is part of ast.Visitor.
func (r *refuse) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode, *ast.VariableDeclaratorNode, *ast.SequenceNode: // a text that is twice as long each time soon fills any memory
		r.found = true
	case *ast.BinaryNode:
		r.found = r.found || n.Operator == ".."
	}
}

// expression compiles a rule in the language of expr-lang.org: comparisons, and, or,
// not, in, contains, startsWith, endsWith, matches, and the functions lower, upper,
// trim and len.
func expression(args []string) (match, error) {
	if len(args[0]) > maxSource {
		return nil, fmt.Errorf("the expression is longer than %d characters", maxSource)
	}
	loops := &refuse{}
	program, err := expr.Compile(args[0], expr.Patch(loops), expr.Env(seen{}), expr.AsBool(), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(),
		expr.EnableBuiltin("lower"), expr.EnableBuiltin("upper"), expr.EnableBuiltin("trim"), expr.EnableBuiltin("len"))
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("the expression is not understood: %s", line)
	}
	if loops.found {
		return nil, errors.New("the expression is not understood: there are no loops, ranges and variables in one")
	}
	return func(v *View) (bool, error) {
		env := seen{Kind: v.Kind, Severity: string(v.Severity), Source: v.Source, Subject: v.Subject, Text: v.Text, Role: string(v.Role), Fields: v.Fields}
		for _, p := range v.People {
			env.People = append(env.People, p.Name)
		}
		machine := vm.VM{MemoryBudget: maxMemory}
		out, err := machine.Run(program, env)
		if err != nil {
			line, _, _ := strings.Cut(err.Error(), "\n")
			return false, fmt.Errorf("the expression fails: %s", line)
		}
		yes, _ := out.(bool)
		return yes, nil
	}, nil
}
