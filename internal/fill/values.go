package fill

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// builtins are those functions of text/template that templates of rung use; and, or are run in place.
var builtins = Funcs{
	"not": func(v any) bool { return !truth(reflect.ValueOf(v)) },
	"len": length, "index": index, "eq": equal, "print": fmt.Sprint, "printf": fmt.Sprintf,
	"ne": func(a, b any) (bool, error) { same, err := equal(a, b); return !same, err },
	"lt": func(a, b any) (bool, error) { c, err := order(a, b); return c < 0, err },
	"le": func(a, b any) (bool, error) { c, err := order(a, b); return c <= 0, err },
	"gt": func(a, b any) (bool, error) { c, err := order(a, b); return c > 0, err },
	"ge": func(a, b any) (bool, error) { c, err := order(a, b); return c >= 0, err },
}

// indirect goes through pointers and interfaces; nil ones give no value.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// truth is whether a value is other than the empty one of its kind; structs always are.
func truth(v reflect.Value) bool {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() > 0
	case reflect.Struct:
		return true
	}
	return !v.IsZero()
}

// itemsOf are the items of a slice or an array with their numbers, or those of a map with their keys, which are in order.
func itemsOf(v reflect.Value) (keys, items []reflect.Value, err error) {
	switch v.Kind() {
	case reflect.Invalid:
		return nil, nil, nil
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			keys, items = append(keys, reflect.ValueOf(i)), append(items, v.Index(i))
		}
		return keys, items, nil
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			keys = v.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
			for _, k := range keys {
				items = append(items, v.MapIndex(k))
			}
			return keys, items, nil
		}
	}
	return nil, nil, fmt.Errorf("range can't iterate over %s", v.Type())
}

var (
	stringer = reflect.TypeFor[fmt.Stringer]()
	failure  = reflect.TypeFor[error]()
)

// printable goes through pointers and interfaces as far as to what says how it is written.
func printable(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.Kind() == reflect.Pointer && (v.Type().Implements(stringer) || v.Type().Implements(failure)) {
			return v
		}
		v = v.Elem()
	}
	if v.IsValid() && v.CanAddr() {
		if p := reflect.PointerTo(v.Type()); !v.Type().Implements(stringer) && !v.Type().Implements(failure) && (p.Implements(stringer) || p.Implements(failure)) {
			return v.Addr()
		}
	}
	return v
}

func length(of any) (int, error) {
	switch v := indirect(reflect.ValueOf(of)); v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len(), nil
	}
	return 0, fmt.Errorf("a %T has no length", of)
}

func index(of any, at ...any) (any, error) {
	for _, i := range at {
		switch v := indirect(reflect.ValueOf(of)); v.Kind() {
		case reflect.Array, reflect.Slice, reflect.String:
			n, is := i.(int)
			if !is || n < 0 || n >= v.Len() {
				return nil, fmt.Errorf("there is no item %v of %d", i, v.Len())
			}
			of = v.Index(n).Interface()
		case reflect.Map:
			key := reflect.ValueOf(i)
			if !key.IsValid() || !key.Type().AssignableTo(v.Type().Key()) {
				return nil, fmt.Errorf("%v is no key of a %s", i, v.Type())
			}
			item := v.MapIndex(key)
			if !item.IsValid() {
				item = reflect.Zero(v.Type().Elem())
			}
			of = item.Interface()
		default:
			return nil, fmt.Errorf("a %T has no items", of)
		}
	}
	return of, nil
}

var errCompare = errors.New("the values are not of kinds that can be compared")

// equal is whether a is one of others.
func equal(a any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, errors.New("eq needs two arguments")
	}
	for _, b := range others {
		x, y := reflect.ValueOf(a), reflect.ValueOf(b)
		if x.Kind() == reflect.Bool && y.Kind() == reflect.Bool {
			if x.Bool() == y.Bool() {
				return true, nil
			}
			continue
		}
		if c, err := order(a, b); err != nil || c == 0 {
			return err == nil, err
		}
	}
	return false, nil
}

func order(a, b any) (int, error) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case x.CanInt() && y.CanInt():
		return cmp.Compare(x.Int(), y.Int()), nil
	case x.CanUint() && y.CanUint():
		return cmp.Compare(x.Uint(), y.Uint()), nil
	case x.CanFloat() && y.CanFloat():
		return cmp.Compare(x.Float(), y.Float()), nil
	case x.Kind() == reflect.String && y.Kind() == reflect.String:
		return cmp.Compare(x.String(), y.String()), nil
	}
	return 0, errCompare
}
