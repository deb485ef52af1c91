package slim

import "slices"

// Statuses of an event, edition 2.0.
const (
	StatusActive    = "active"
	StatusPaused    = "paused"
	StatusFinished  = "finished"
	StatusCancelled = "cancelled"
)

// Types of a legal entity.
const (
	LegalTypeSoleTrader     = "ru_lp"
	LegalTypeLimitedCompany = "ru_ltd"
	LegalTypeForeignCompany = "en_ltd"
)

// CategoryOther is the category of what fits no other, in both editions.
const CategoryOther = "other"

// In the order of the slim contract. "develpoment" is spelled so in edition
// 1.0; edition 2.0 spells it right.
var (
	categories1 = []string{
		"ballet", "business", "concert", "develpoment", "excursion", "exhibition", "festival", "health",
		"kids", "movie", "museum", "party", "show", "sport", "test", "theater", CategoryOther,
	}
	categories2 = []string{
		"ballet", "business", "concert", "excursion", "exhibition", "festival", "health",
		"kids", "movie", "museum", "party", "show", "sport", "test", "theater", CategoryOther,
		"circus", "development", "games", "musical", "standup", "workshop",
	}
)

// Categories returns the closed vocabulary of [Event.Category]; nil for an
// unknown edition. The caller owns the slice.
func (e Edition) Categories() []string {
	return slices.Clone(e.categories())
}

// IsCategory reports whether category is in the vocabulary of the edition.
func (e Edition) IsCategory(category string) bool {
	return slices.Contains(e.categories(), category)
}

func (e Edition) categories() []string {
	switch e {
	case Edition1:
		return categories1
	case Edition2:
		return categories2
	}
	return nil
}

// IsStatus reports whether status is one of the Status constants.
func IsStatus(status string) bool {
	switch status {
	case StatusActive, StatusPaused, StatusFinished, StatusCancelled:
		return true
	}
	return false
}

// IsLegalType reports whether legalType is one of the LegalType constants.
func IsLegalType(legalType string) bool {
	switch legalType {
	case LegalTypeSoleTrader, LegalTypeLimitedCompany, LegalTypeForeignCompany:
		return true
	}
	return false
}

// IsCurrency reports whether currency is one of USD, EUR, RUB, GBP and CNY.
func IsCurrency(currency string) bool {
	switch currency {
	case "USD", "EUR", "RUB", "GBP", "CNY":
		return true
	}
	return false
}
