package expr

// CompileGeneral compiles an expression without the shorter ways, to which a
// test holds those that [Compile] gives.
func CompileGeneral(source string) (*Program, error) { return compile(source, false) }
