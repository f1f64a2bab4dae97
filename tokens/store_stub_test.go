package tokens

import (
	"context"
	"sync"
)

// A brokenStore fails where it is told to.
type brokenStore struct {
	MemoryStore
	mu               sync.Mutex
	load, save, lock error
	saves            int // those that were tried
	unlocked         func()
}

func (b *brokenStore) broken() (load, save, lock error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.load, b.save, b.lock
}

func (b *brokenStore) set(load, save, lock error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.load, b.save, b.lock = load, save, lock
}

func (b *brokenStore) Load(name string) (Grant, error) {
	if err, _, _ := b.broken(); err != nil {
		return Grant{}, err
	}
	return b.MemoryStore.Load(name)
}

func (b *brokenStore) Save(name string, grant Grant) error {
	load, save, _ := b.broken()
	b.mu.Lock()
	b.saves++
	b.mu.Unlock()
	if save != nil {
		return save
	}
	if load != nil {
		return load // as a FileStore does
	}
	return b.MemoryStore.Save(name, grant)
}

func (b *brokenStore) Lock(ctx context.Context, name string) (func(), error) {
	_, _, lock := b.broken()
	if lock != nil {
		return nil, lock
	}
	unlock, err := b.MemoryStore.Lock(ctx, name)
	return func() {
		unlock()
		b.mu.Lock()
		then := b.unlocked
		b.unlocked = nil
		b.mu.Unlock()
		if then != nil {
			then()
		}
	}, err
}

// tried is how many saves were tried.
func (b *brokenStore) tried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.saves
}

// afterUnlock has f called once, when the lock was freed.
func (b *brokenStore) afterUnlock(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unlocked = f
}
