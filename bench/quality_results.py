"""Results of `kvzip eval` put together, as bench/quality prints them: tables in Markdown of several ways over the same documents."""
import collections
import json
import random
import statistics

RESAMPLES = 2000
FULL = "full"


class Document:
    """Of one document by one way: means over its questions at each ratio, and times."""

    def __init__(self, path):
        found = json.loads(path.read_text())
        settings = found["settings"]
        self.task, self.index = settings["task"], found["document"]["index"]
        kind, gate, _ = settings["scoring"].partition("gate")
        self.way = (settings["policy"], kind + gate, settings["level"])
        self.questions = len(found["questions"])
        cuts = [rows for key, rows in found.items() if key not in ("settings", "document", "questions")]
        self.values = {}
        for value in ("score", "log_p_right"):
            means = {FULL: statistics.fmean(question["full"][value] for question in found["questions"])}
            for cut, ratio in enumerate(settings["ratios"]):
                means[f"{ratio:g}"] = statistics.fmean(rows[cut][1][value] for rows in cuts)
            self.values[value] = means
        times = json.loads(path.with_name(path.name.replace("output", "times", 1)).read_text())
        self.reading, self.scoring = times["reading_seconds"], times["scoring_seconds"]


def shared_documents(folder, ways, tasks):
    """By way's name, then task: the documents that all ways have. `ways` says by what results are known, in order."""
    there = collections.defaultdict(lambda: collections.defaultdict(dict))
    for path in sorted(folder.glob("*/*/output-*.json")):
        document = Document(path)
        there[document.way][document.task][document.index] = document
    ways = {name: there[way] for name, way in ways.items() if way in there}
    shared = {task: sorted(set.intersection(*(set(found[task]) for found in ways.values()))) for task in tasks} if ways else {}
    shared = {task: indices for task, indices in shared.items() if indices}
    return {name: {task: [found[task][index] for index in indices] for task, indices in shared.items()}
            for name, found in ways.items()} if shared else {}


def shared_ratios(found):
    documents = [document for tasks in found.values() for each in tasks.values() for document in each]
    shared = set.intersection(*(set(document.values["score"]) for document in documents)) - {FULL}
    return [FULL, *sorted(shared, key=float, reverse=True)]


class Means:
    """Of one value (`score`, `log_p_right`) by way, task and ratio: the mean over documents, then those of documents drawn again.
    What is drawn is the same for all ways, so differences between two lists are differences on the same documents."""

    def __init__(self, found, value):
        self.lists = {}
        for task, documents in next(iter(found.values())).items():
            rng = random.Random(task)
            draws = [range(len(documents)), *(rng.choices(range(len(documents)), k=len(documents)) for _ in range(RESAMPLES))]
            for way, tasks in found.items():
                for ratio in tasks[task][0].values[value]:
                    values = [document.values[value][ratio] for document in tasks[task]]
                    self.lists[way, task, ratio] = [sum(values[i] for i in draw) / len(draw) for draw in draws]

    def of(self, way, tasks, ratio):
        """Each task counts alike."""
        return [statistics.fmean(column) for column in zip(*(self.lists[way, task, ratio] for task in tasks))]


def shown(value, digits):
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def cell(means, scale, digits, to="-"):
    value, *drawn = (mean * scale for mean in means)
    drawn.sort()
    low, high = drawn[len(drawn) * 25 // 1000], drawn[len(drawn) * 975 // 1000]
    return f"{shown(value, digits)} ({shown(low, digits)}{to}{shown(high, digits)})"


def print_row(cells):
    print("| " + " | ".join(cells) + " |")


def print_head(cells):
    print_row(cells)
    print("|" + " --- |" * len(cells))


def task_table(found, means, ratio):
    tasks = next(iter(found.values()))
    print_head(["method", *(f"{task}: {len(each)}, {sum(document.questions for document in each)}" for task, each in tasks.items())])
    print_row(["*everything kept*", *(cell(means.lists[next(iter(found)), task, FULL], 100, 0) for task in tasks)])
    for way in found:
        print_row([way, *(cell(means.lists[way, task, ratio], 100, 0) for task in tasks)])
    print()


def compared_table(found, means, ratios, tasks, scale, digits):
    """Means over tasks, and by how much the first way is ahead."""
    best = next(iter(found))
    to = "-" if scale > 1 else " to "
    print_head(["method", *ratios, *(f"{best} is ahead, {ratio}" for ratio in ratios[1:])])
    for way in found:
        cells = [cell(means.of(way, tasks, ratio), scale, digits, to) for ratio in ratios]
        for ratio in ratios[1:]:
            ahead = [a - b for a, b in zip(means.of(best, tasks, ratio), means.of(way, tasks, ratio))]
            cells.append("" if way == best else cell(ahead, scale, digits, " to "))
        print_row([way, *cells])
    print()


def time_table(found):
    print_head(["method", "reading, s", "scoring, s"])
    for way, tasks in found.items():
        documents = [document for each in tasks.values() for document in each]
        print_row([way, f"{statistics.median(document.reading for document in documents):.2f}",
                   f"{statistics.median(document.scoring for document in documents):.2f}"])
    print()


def print_tables(found, groups):
    """`groups`: tasks whose means are put together, by name."""
    ratios = shared_ratios(found)
    there = next(iter(found.values()))
    groups = {name: [task for task in tasks if task in there] for name, tasks in groups.items()}
    scores, logs = Means(found, "score"), Means(found, "log_p_right")
    for ratio in ratios[1:]:
        print(f"Score in % at {ratio} kept, with 95 % bootstrap intervals over documents; beside each task its documents and questions:\n")
        task_table(found, scores, ratio)
    for name, tasks in groups.items():
        if not tasks:
            continue
        title = name if len(tasks) == 1 else f"{name} ({', '.join(tasks)}, each counting alike)"
        print(f"{title}: score in %; differences are taken on the same documents:\n")
        compared_table(found, scores, ratios, tasks, 100, 0)
        print(f"{title}: mean log-probability of the right answers' tokens (nats; higher is better):\n")
        compared_table(found, logs, ratios, tasks, 1, 2)
    print("Median times of a document:\n")
    time_table(found)
