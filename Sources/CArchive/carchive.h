#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

// Macros that do not reach Swift as they are.
static const int carchive_all_locale_categories = LC_ALL_MASK;
static const int carchive_nfs4_acl = ARCHIVE_ENTRY_ACL_TYPE_NFS4;
