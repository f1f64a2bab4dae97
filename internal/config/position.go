package config

// position is the place of a key or a value in the file.
type position struct {
	lines keyLines
	path  string // with indexes: route[0].hosts
	name  string // as messages name it: route.hosts
	line  int
}

// key is the position of a key in the table at p. A key that is not in the file
// has the line of its table.
func (p position) key(key string) position {
	return p.moved(joined(p.path, key), joined(p.name, key))
}

// item is the position of an element of the array at p.
func (p position) item(i int) position {
	return p.moved(indexed(p.path, i), p.name)
}

func (p position) moved(path, name string) position {
	p.path, p.name = path, name
	if line, ok := p.lines[path]; ok {
		p.line = line
	}
	return p
}
