package verdict

import "github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"

// roles say who can be late for whom in an operation.
type roles struct {
	late  func(rank *collective.Rank, root int32) bool
	waits func(rank *collective.Rank, root int32) bool
}

func anyRank(*collective.Rank, int32) bool             { return true }
func isRoot(rank *collective.Rank, root int32) bool    { return rank.Number == root }
func isNotRoot(rank *collective.Rank, root int32) bool { return rank.Number != root }
func noRank(*collective.Rank, int32) bool              { return false }

var rolesOf = map[collective.Dependency]roles{
	collective.DependencyNone: {noRank, noRank},
	collective.AllOnAll:       {anyRank, anyRank},
	collective.AllOnRoot:      {isRoot, isNotRoot},
	collective.RootOnAll:      {isNotRoot, isRoot},
	collective.Pairwise:       {anyRank, anyRank},
}

func (a *arrivals) roles() roles { return rolesOf[a.Operation().Dependency()] }

// root is the rank with a part of its own, of a rooted operation.
func (a *arrivals) root() int32 { return a.Calls[0].Root }
