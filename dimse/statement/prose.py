"""What the standard leaves to be stated of each service, and what no table holds, in Markdown."""

from typing import Final

VERIFICATION: Final = """\
- Answered to every station that is let in and has the right `echo`.
"""

STORAGE: Final = """\
- Level 2 (full) conformance: every attribute is kept, private ones too, in the bytes in which it came.
  Nothing is coerced and nothing discarded; B000 and B006 are never sent.
- Success is sent when the object is on stable storage and in the index, not before.
- The same object again is a success and changes nothing. Other bytes under a known SOP Instance UID are kept
  as a version and shown from then on, or refused with C011, by configuration.
- What cannot be read is refused, and its bytes are kept in quarantine for an administrator.
- A700 is transient: the same object is taken once there are resources. A9xx, C0xx and 0124 are not, until the
  object or the configuration has changed. The association stays open after each of them.
- As SCU, for C-MOVE and C-GET: objects go as they are stored where that is accepted, else losslessly
  converted to a transfer syntax that is.
"""

QUERY: Final = """\
- Hierarchical and relational queries. Keys of a level below the one asked for are matched, whether or not
  relational queries were negotiated, and come back empty.
- A date and its time are matched as one moment where that was negotiated, each alone otherwise.
- Person names match whatever the case, accents and width of their letters, in any of their three component
  groups, or in the one that the key names by its place; names that sound alike match as well where fuzzy
  matching was negotiated.
- Attributes that the index does not keep are matched on the stored objects, among what the other keys leave;
  a search that would read too many of them is refused with C100.
- FF01 says that a key could not be matched on, such as a count. Every attribute asked for is returned, empty
  where it has no value, and besides it (0008,0005), (0008,0052), (0008,0054) and (0008,0056).
- Instance Availability (0008,0056) is NEARLINE where an instance, or any of those below what is answered,
  lies in the cold tier alone, else ONLINE.
- C-CANCEL is looked for before every match, and while the database searches; FE00 follows within a fraction
  of a second.
"""

MOVE: Final = """\
- Destinations are the configured stations. A pending response with counters follows every sub-operation, and
  comes while one takes its time.
- The UIDs of the levels above may be left out, and may be lists.
"""

GET: Final = """\
- Objects are sent on the storage contexts for which the requestor took the role of SCP. Of the transfer
  syntaxes proposed for these, one is accepted in which objects can be delivered.
"""

COMMITMENT: Final = """\
- An object is committed to when its bytes were read from where they lie, and its digests compared, for this
  very request. Failure reasons are 0110 (its bytes are damaged), 0112 (not here), 0119 (here as another SOP
  class) and 0131 (the transaction UID was used before).
- The result (N-EVENT-REPORT, event type 1 or 2) goes over the association of the request while that is
  open, or over one that the archive opens to the configured station, proposing the role of SCP for itself;
  which, can be configured. It is tried again for about a week.
"""

WORKLIST: Final = """\
- Every matching and return key of Table K.6-1 that an order holds, in sequences too; date and time of the
  start are matched as one moment. Items come in the order of their start.
- A step leaves the list when it has ended, when it has begun, or never, by configuration.
- FF01 says that a key could not be matched on. C-CANCEL is looked for before every item.
"""

PERFORMED_STEP: Final = """\
- A step that is COMPLETED or DISCONTINUED is not changed any more: 0110 with Error ID A710
  and the comment of PS3.4 Table F.7.2-2.
- A step need not have been scheduled. One that names scheduled steps changes their status; one that is
  completed makes its study ready to be read as soon as all objects that it names are here.
- Attributes that are not of this SOP class are kept and named in a warning (0107).
"""

NEGOTIATION: Final = """\
- SCP/SCU role selection: granted as proposed for storage classes, so that C-GET can deliver.
- Asynchronous operations window: one operation at a time.
- User identity: a token as passcode or JSON Web Token; see Security.
- Items that are not known are stepped over.
"""

CHARACTER_SETS: Final = """\
Stored objects keep the character set they came in. An answer to a query is in the character set of the
request where that holds all of its text, else in ISO_IR 192. For a station one character set can be
configured: it gets every answer in that, with question marks for what it lacks. A request that names no
character set but has other bytes than ASCII is read in the one configured for the station, else as UTF-8
where it is that, else as ISO_IR 100.
"""

SECURITY: Final = """\
- User identity negotiation (PS3.7 D.3.3.7): a token of the archive as the passcode of a user (type 2) or in
  the place of a JSON Web Token (type 5). A user name alone, Kerberos and SAML prove nothing here and are not
  answered.
- Application entities are known by title and address, with rights of their own; see Associations.
- An archive that others than its own machine can reach does not start without authentication, unless it is
  told so in so many words.
- Every query, retrieval and refusal is recorded in an audit trail: who, from where, what, when and with what
  outcome. Logs hold no patient data.
- No digital signature is made or checked; those in objects are kept.
"""

OBJECTS: Final = """\
- Attributes are neither added, changed nor removed in what is stored.
- No private attribute, SOP class or transfer syntax is defined by this product.
- SOP classes of earlier editions of the standard are accepted; storage classes that no edition lists are by
  configuration.
"""
