package config

// place is where something stands in the file.
type position struct {
	lines keyLines
	at    string // with indexes: route[0].hosts
	name  string // as people say it: route.hosts
	line  int
}

// key is the place of a key in the table at p. One that is not in the file
// has the line of its table.
func (p position) key(key string) position {
	return p.moved(joined(p.at, key), joined(p.name, key))
}

// item is the place of an array's element.
func (p position) item(i int) position {
	return p.moved(indexed(p.at, i), p.name)
}

func (p position) moved(at, name string) position {
	p.at, p.name = at, name
	if line, ok := p.lines[at]; ok {
		p.line = line
	}
	return p
}
