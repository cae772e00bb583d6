package access

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

// affair is a kind of what belongs to a contributor's dossier: rows with a contributor, the office
// that has them and, where they are about one, a position.
type affair struct {
	table string
	// position is the column with the position.
	position string
	// only is a condition on rows d, beside their id.
	only string
	// asker is the column with the person who asked for it; it may be empty. They see it by a right
	// with askedBy or, where that is empty, whatever became of their right.
	asker   string
	askedBy Service
}

// affairs has each kind by what an operation gives access to.
var affairs = map[To]affair{
	ToPosition:  {table: "positions", position: "id"},
	ToTicket:    {table: "tickets", position: "position_id"},
	ToSmartTask: {table: "tickets", position: "position_id", only: " AND d.kind = 'smart_task'", asker: "d.person_id"},
	ToDMA:       {table: "dma_submissions", position: "position_id", asker: "d.person_id", askedBy: CompileDMA},
}

func (a affair) columns() string {
	asker := cmp.Or(a.asker, "NULL")
	return ", d.contributor_id, d." + a.position + " AS position_id, NULL AS state, " + asker + " AS maker_id, NULL AS maker_right_id, " +
		"CASE WHEN " + worksAtOffice + " AND d.office_code = p.office_code THEN 1 ELSE 0 END AS in_office, "
}

func (a affair) join() string { return " LEFT JOIN " + a.table + " d ON d.id = v.target_id" + a.only }

// Affairs lists what operations give access to that belongs to a dossier, with the name of the
// parameter of the path that has its id.
func Affairs() map[To]string {
	return map[To]string{ToPosition: "position_id", ToTicket: "ticket_id", ToSmartTask: "smart_task_id", ToDMA: "dma_id"}
}

func (to To) isAffair() bool {
	_, is := affairs[to]
	return is
}

// byRight reports whether a right over the contributor lets in.
func (to To) byRight() bool {
	return to.isAffair() || slices.Contains([]To{ToContributor, ToDeclaration}, to)
}

// RightAbout chooses the right by which the actor does something for the contributor that the
// operation is about. It is about one position, or with nil about the whole contributor, for which
// a right about some positions is not enough. Own comes first, then role, delegation,
// sub-delegation. It returns these faults:
//   - fault.NotFound: the actor has nothing to do with the contributor;
//   - fault.ServiceNotDelegated: none of the rights covers the service;
//   - fault.Forbidden: the rights only let one look;
//   - fault.Invalid naming /position_id: no right is about the position, or a position is needed.
func (a Actor) RightAbout(s Service, positionID *uuid.UUID) (Right, error) {
	if len(a.Rights) == 0 {
		return Right{}, fault.New(fault.NotFound)
	}
	rights := slices.DeleteFunc(slices.Clone(a.Rights), func(r Right) bool { return !r.Covers(s) })
	if len(rights) == 0 {
		return Right{}, &fault.Fault{Code: fault.ServiceNotDelegated, Allowed: []string{string(s)}}
	}
	rights = slices.DeleteFunc(rights, func(r Right) bool { return r.ActingAs == OfficeOperator || r.ActingAs == UserAdministrator })
	if len(rights) == 0 {
		return Right{}, fault.Because(fault.Forbidden, "right-looks")
	}
	inOrder(rights)
	for _, r := range rights {
		if r.Positions == nil || positionID != nil && r.About(*positionID) {
			return r, nil
		}
	}
	code := fault.FieldRequired
	if positionID != nil {
		code = fault.FieldUnknownPosition
	}
	return Right{}, fault.InvalidFields(fault.Field{Pointer: "/position_id", Code: code})
}
