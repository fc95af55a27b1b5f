package fill

import (
	"errors"
	"fmt"
	"reflect"
	"text/template/parse"
)

// pipe gives the value of a pipeline and declares or sets its variables.
func (r *run) pipe(dot reflect.Value, p *parse.PipeNode) (v reflect.Value, err error) {
	if p == nil {
		return v, nil
	}
	for i, command := range p.Cmds {
		if v, err = r.command(dot, command, v, i > 0); err != nil {
			return v, err
		}
		if v.IsValid() && v.Kind() == reflect.Interface {
			v = v.Elem()
		}
	}
	for _, d := range p.Decl {
		if !p.IsAssign {
			r.vars = append(r.vars, variable{d.Ident[0], v})
			continue
		}
		for i := len(r.vars) - 1; i >= 0; i-- {
			if r.vars[i].name == d.Ident[0] {
				r.vars[i].value = v
				break
			}
		}
	}
	return v, nil
}

// command is one command of a pipeline. final is what the command before it gave.
func (r *run) command(dot reflect.Value, n *parse.CommandNode, final reflect.Value, piped bool) (reflect.Value, error) {
	if name, is := n.Args[0].(*parse.IdentifierNode); is {
		return r.function(dot, name.Ident, n.Args[1:], final, piped)
	}
	if len(n.Args) > 1 || piped {
		return reflect.Value{}, fmt.Errorf("%s is given arguments and is not a function", n.Args[0])
	}
	return r.value(dot, n.Args[0])
}

func (r *run) value(dot reflect.Value, node parse.Node) (reflect.Value, error) {
	switch n := node.(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.NilNode:
		return reflect.Value{}, nil
	case *parse.FieldNode:
		return fields(dot, n.Ident)
	case *parse.ChainNode:
		v, err := r.value(dot, n.Node)
		if err != nil {
			return v, err
		}
		return fields(v, n.Field)
	case *parse.VariableNode:
		for i := len(r.vars) - 1; i >= 0; i-- {
			if r.vars[i].name == n.Ident[0] {
				return fields(r.vars[i].value, n.Ident[1:])
			}
		}
		return reflect.Value{}, fmt.Errorf("there is no variable %s", n.Ident[0])
	case *parse.PipeNode:
		return r.pipe(dot, n)
	case *parse.IdentifierNode:
		return r.function(dot, n.Ident, nil, reflect.Value{}, false)
	case *parse.StringNode:
		return reflect.ValueOf(n.Text), nil
	case *parse.BoolNode:
		return reflect.ValueOf(n.True), nil
	case *parse.NumberNode:
		return number(n)
	}
	return reflect.Value{}, fmt.Errorf("%s is not supported", node)
}

func number(n *parse.NumberNode) (reflect.Value, error) {
	switch {
	case n.IsInt:
		return reflect.ValueOf(int(n.Int64)), nil
	case n.IsFloat:
		return reflect.ValueOf(n.Float64), nil
	}
	return reflect.Value{}, fmt.Errorf("%s is a number that is not supported", n.Text)
}

// fields goes down a chain of fields of structs and keys of maps.
func fields(v reflect.Value, names []string) (reflect.Value, error) {
	for _, name := range names {
		from := indirect(v)
		v = reflect.Value{}
		switch from.Kind() {
		case reflect.Struct:
			if f, has := from.Type().FieldByName(name); has && f.IsExported() {
				var err error
				if v, err = from.FieldByIndexErr(f.Index); err != nil {
					return v, err
				}
			}
		case reflect.Map:
			if from.Type().Key().Kind() == reflect.String {
				v = from.MapIndex(reflect.ValueOf(name).Convert(from.Type().Key()))
			}
		case reflect.Invalid:
			return v, fmt.Errorf("%s of nil", name)
		}
		if !v.IsValid() {
			return v, fmt.Errorf("can't evaluate field %s in type %s", name, from.Type())
		}
	}
	return v, nil
}

func (r *run) function(dot reflect.Value, name string, args []parse.Node, final reflect.Value, piped bool) (reflect.Value, error) {
	if name == "and" || name == "or" {
		return r.logic(dot, name, args, final, piped)
	}
	f, has := r.t.funcs[name]
	if !has {
		return f, fmt.Errorf("there is no function %s", name)
	}
	values := make([]reflect.Value, 0, len(args)+1)
	for _, a := range args {
		v, err := r.value(dot, a)
		if err != nil {
			return v, err
		}
		values = append(values, v)
	}
	if piped {
		values = append(values, final)
	}
	kind := f.Type()
	if n := kind.NumIn(); len(values) != n && (!kind.IsVariadic() || len(values) < n-1) {
		return f, fmt.Errorf("%s is given %d arguments", name, len(values))
	}
	for i := range values {
		var err error
		if values[i], err = fit(values[i], parameter(kind, i)); err != nil {
			return f, fmt.Errorf("argument %d of %s: %w", i+1, name, err)
		}
	}
	out := f.Call(values)
	if len(out) == 2 && !out[1].IsNil() {
		return out[0], fmt.Errorf("%s: %w", name, out[1].Interface().(error))
	}
	return out[0], nil
}

func parameter(f reflect.Type, i int) reflect.Type {
	if f.IsVariadic() && i >= f.NumIn()-1 {
		return f.In(f.NumIn() - 1).Elem()
	}
	return f.In(i)
}

// fit is v as a function takes it.
func fit(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	if !v.IsValid() {
		return reflect.Zero(t), nil
	}
	if v.Kind() == reflect.Interface && !v.Type().AssignableTo(t) {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return reflect.Zero(t), nil
	case v.Type().AssignableTo(t):
		return v, nil
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Type().Elem().AssignableTo(t):
		return v.Elem(), nil
	case v.CanAddr() && reflect.PointerTo(v.Type()).AssignableTo(t):
		return v.Addr(), nil
	case v.CanInt() && t.Kind() == reflect.Float64:
		return v.Convert(t), nil
	}
	return v, fmt.Errorf("it is %s and should be %s", v.Type(), t)
}

// logic is and, or: the first argument that settles it, else the last.
func (r *run) logic(dot reflect.Value, name string, args []parse.Node, final reflect.Value, piped bool) (v reflect.Value, err error) {
	if len(args) == 0 && !piped {
		return v, errors.New(name + " needs an argument")
	}
	for _, a := range args {
		if v, err = r.value(dot, a); err != nil || truth(v) == (name == "or") {
			return v, err
		}
	}
	if piped {
		return final, nil
	}
	return v, nil
}
