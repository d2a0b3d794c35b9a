"""What the checks and a compiled kernel say to each other: items, a job over them, and the kernel's two tasks.

Plain C data. A kernel knows pointers, lengths and coefficients; arrays, names and errors stay on the other side.
"""
from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    const unsigned int ABI "FASTREG_ABI"    # the checksum of this file, by setup.py

cdef enum:
    CHUNK = 4096               # elements that are processed in one go and leave one sum
    MOST_LEVELS = 64           # of a layout: as many as the dimensions of an array
    SEGMENT = 1024             # members of a contiguous group that are summed in one go
    ROWS = 256                 # the same of a first level of rows, over groups side by side or over runs of members
    STRIP = 512                # groups that are summed side by side, and whose values leave one sum
    WIDE_STRIP = 2 * STRIP     # the same of rows of one block, which are longer stretches of memory then
    LOCAL_GROUPS = 2048        # at most, of a chunk that holds its groups whole

cdef enum Format:              # of an array's elements
    FLOAT32
    FLOAT64
    FLOAT16                    # this and the next are widened to float32 in a first-level cache; _loops/sixteen.pxd
    BFLOAT16

cdef enum Operation:
    MEASURE                    # sums, nothing else
    GRADIENT                   # out = gradient of the penalty
    ACCUMULATE                 # out = base + gradient of the penalty
    ASSIGN                     # out = base
    PROX                       # out = prox of the penalty at step `item.rate`
    GRADIENT_DESCENT           # from here on: weights and slots are updated in place; traits in _loops/rules.pxd
    MOMENTUM
    ADAGRAD
    RMSPROP
    CENTERED_RMSPROP
    ADAM
    PROXIMAL_GRADIENT_DESCENT
    PROXIMAL_ADAGRAD
    FTRL

cdef enum ProfileKind:         # the profiles besides the elastic pair; their functions stand in _loops/profiles.pxd
    MCP
    LINEAR                     # the magnitude itself: of groups, the group lasso
    SCAD
    L0
    HUBER
    PSEUDO_HUBER
    LOG_SUM
    WEIGHTED                   # from here on: with arrays of a number for each element; they pair with the item's weights
    DISTANCE
    WEIGHTED_DISTANCE
    NORM_LIMITS                # a constraint of norms, from `shape` to `scale`; it has a prox alone, the projection

cdef struct Layout:            # how an array falls into groups, in memory order
    # A block is what belongs to a number of groups. It has levels: indices over the members of a group and over groups in turn.
    Py_ssize_t n_blocks
    Py_ssize_t block           # elements of one
    Py_ssize_t groups          # of one
    Py_ssize_t members         # of a group
    double scale               # of the profile: for the group lasso with the power of the members
    int n_levels               # the first is of members; the last runs through memory element by element
    Py_ssize_t[MOST_LEVELS] extents
    Py_ssize_t[MOST_LEVELS] strides        # in elements
    Py_ssize_t[MOST_LEVELS] group_strides  # in groups; 0 for a level of members
    bint local                 # a chunk holds its groups whole; else the norms are formed before the chunks are processed
    # The rest is for a layout that is not local. A task sums a segment of the first level for a strip of groups.
    Py_ssize_t strip           # groups, all at one index of the levels in front of the last one of groups
    Py_ssize_t n_strips        # of a block
    Py_ssize_t n_segments
    Py_ssize_t first_task
    Py_ssize_t first_fold      # the strips of layouts with several segments are numbered, too
    double* sums               # [block, segment, group], if there are several segments
    double* factors            # [block, group]: what the kernel multiplies a member by
    double* values             # [block, strip]: sums of the profile's values
    void* item                 # the Item and the Profile whose layout it is
    void* profile

cdef struct Profile:
    ProfileKind kind
    double scale
    double shape               # the second parameter, such as MCP's gamma
    double rate                # of NORM_LIMITS: how much of the way to the right norm is gone at once
    bint has_axes              # the magnitudes are the norms of groups, not of elements
    uint64_t axes              # bit k: axis k runs over the members of a group
    uint64_t axes_from_last    # bit k: axis -1 - k does
    Layout* layout             # of the groups; NULL without
    double[4] for_prox         # what the prox computes with, from its step: `set_prox`
    void* strengths            # of each element, for the weighted kinds
    void* reference            # of each element, for the distances
    Format strengths_format    # 16 bits wide, or what is computed in
    Format reference_format
    void* owner                # the Penalty that keeps these arrays; NULL without arrays
    double* partials           # each chunk's sum of the profile's values
    double sum                 # OUT, if the job measures

cdef struct Item:              # one array, or the rows of it that a gradient touches
    Operation operation
    bint is_double             # whether to compute in float64
    Format weights_format      # 16 bits wide, or what is computed in
    Format base_format
    Format out_format
    void* weights              # IN, and OUT for an update
    void* base                 # IN: the gradient's starting value; the given gradient of an update; the values to ASSIGN
    void* out                  # OUT where the operation has one; may be weights or base
    void* slots[3]             # IN and OUT for an update
    const Py_ssize_t* shape    # of the weights; read while the job is laid out
    int n_dims
    bint is_fortran
    Py_ssize_t size            # elements that are processed
    const int64_t* rows        # the rows of weights and slots that the elements belong to, in order; NULL for all
    Py_ssize_t width           # elements of a row, if `rows` is given
    Py_ssize_t chunk_size
    Py_ssize_t chunks_per_row
    Py_ssize_t first_chunk
    double l1                  # the elastic pair; 0 leaves its part out
    double l2
    Profile* profiles          # what is added to the pair, block by block
    int n_profiles
    bint prox_later            # the rule ends in a prox of groups, which is an item of a job of its own
    double rate                # learning rate, bias-corrected for Adam; the step of PROX
    double decay               # decoupled: weights -= decay * weights before the rule, unless it is cautious
    bint bounded               # whether what is written, by an update or by ASSIGN, is then put between two bounds
    double lower
    double upper
    bint mixed                 # whether an update does one of the following, or reads 16 bits; it then goes block by block
    double base_scale          # by which `base` is multiplied first
    bint clears                # set `base` to 0 after it was read
    void* copy                 # OUT: the new weights in 16 bits; NULL without
    Format copy_format
    bint stochastic            # round to 16 bits up or down at random, by `key`
    uint64_t key
    void* average              # IN and OUT: a moving average of the new weights; NULL without
    bint follows_later         # leave copy and average to a job of their own: the weights are not final yet
    double absolute_sum        # OUT, if the job measures: sum(|w|) where l1 is not 0
    double square_sum          # OUT, if the job measures: sum(w**2) where l2 is not 0

cdef struct Conversion:        # of a whole array to another format; one of the two is 16 bits wide, the other is not
    void* out
    void* x
    Py_ssize_t n
    Format to
    Format format
    bint stochastic            # narrow at random, by this key
    uint64_t key
    bint after                 # of a result of the job, not of what it reads

cdef struct Rule:              # an update rule's hyperparameters in one step
    double momentum
    double beta1               # RMSProp: its decay rho
    double beta2
    double epsilon
    double l1                  # the proximal rules' own strengths
    double l2
    double shrinkage
    double power               # Ftrl: minus the learning-rate power
    double keep                # Adagrad: what is kept of the sum of squares; 1, or less for a running mean
    double clip                # the total gradient is multiplied by it; 1 leaves it alone
    double average             # 1 minus the factor of the moving averages
    bint nesterov
    bint outside               # RMSProp by torch: epsilon is added to the root, and the rate multiplies the momentum
    bint cautious              # decay where the rule does not move the weight away from 0, and after it

cdef struct Job:
    Item* items
    Py_ssize_t n_items
    Py_ssize_t n_chunks
    Py_ssize_t n_bytes         # the memory traffic of the operations; it decides how many threads work
    void* memory               # what the following pointers point into; to be freed
    double* absolute           # each chunk's sum of |w|, where its item's l1 is not 0
    double* square             # each chunk's sum of w**2, where its item's l2 is not 0
    Layout* layouts            # that are not local
    Py_ssize_t n_layouts
    Py_ssize_t n_tasks
    Py_ssize_t n_folds
    Py_ssize_t layout_bytes    # memory traffic of the tasks
    Conversion* conversions    # of the items that no chunk can widen by itself
    Py_ssize_t n_conversions
    bint measure               # whether to form the sums
    bint stream                # `out` is larger than the caches: store around them
    Rule rule

cdef struct Kernel:
    unsigned int abi           # the ABI with which it was compiled; first, so that every kernel has it at one place
    # Both process the chunks start..stop-1 of a Job. The second writes only `square`: of each chunk's total gradient.
    void (*process)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil
    void (*measure_gradient)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil
    # Both run before `process` where layouts are not local. The first sums segments of groups, the second adds these sums up.
    # The factors of a strip are left by the first if it has one segment, else by the second.
    void (*measure_groups)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil
    void (*fold_groups)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil
    # Does the chunks start..stop-1 of a Conversion.
    void (*convert)(void* conversion, Py_ssize_t start, Py_ssize_t stop) noexcept nogil


cdef inline Py_ssize_t n_parts(Py_ssize_t size, Py_ssize_t part) noexcept nogil:
    """Return how many parts of this size, the last perhaps smaller, make up the whole: chunks, segments, strips."""
    return (size + part - 1) // part


cdef inline Py_ssize_t segment_size(Layout* layout) noexcept nogil:
    """Return how many indices of the first level a task sums."""
    return SEGMENT if layout.n_levels == 1 else ROWS


cdef inline Py_ssize_t size_of(int format) noexcept nogil:
    """Return how many bytes an element has."""
    return 4 if format == FLOAT32 else 8 if format == FLOAT64 else 2
