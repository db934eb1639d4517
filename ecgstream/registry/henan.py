"""A made network of the size and shape of Henan's, for demonstrations and measurements.

Real are only the names and codes (GB/T 2260) of the province and its 18 divisions, of which Jiyuan is of
county rank and directly under the province. Every county, township, village and institution below is MADE:
its name says so by a number, and no hospital of that name is meant. The shape is that of the networks this
serves: authorities down to the county; each runs its hospitals; township health centres lead the village
clinics.

An institution stands one level below the authority that runs it, so that those who work in it see it alone.
"""

from collections.abc import Iterator
from itertools import count, islice

from ecgstream.registry.facilities import Facility, Kind, Level

PROVINCE = "410000"
JIYUAN = ("419001", "Jiyuan", "济源市")
CITIES = (
    ("410100", "Zhengzhou", "郑州市"),
    ("410200", "Kaifeng", "开封市"),
    ("410300", "Luoyang", "洛阳市"),
    ("410400", "Pingdingshan", "平顶山市"),
    ("410500", "Anyang", "安阳市"),
    ("410600", "Hebi", "鹤壁市"),
    ("410700", "Xinxiang", "新乡市"),
    ("410800", "Jiaozuo", "焦作市"),
    ("410900", "Puyang", "濮阳市"),
    ("411000", "Xuchang", "许昌市"),
    ("411100", "Luohe", "漯河市"),
    ("411200", "Sanmenxia", "三门峡市"),
    ("411300", "Nanyang", "南阳市"),
    ("411400", "Shangqiu", "商丘市"),
    ("411500", "Xinyang", "信阳市"),
    ("411600", "Zhoukou", "周口市"),
    ("411700", "Zhumadian", "驻马店市"),
)
"""Code, name in English and in Chinese of the prefecture-level cities."""

_PROVINCE_HOSPITALS = 2
_CITY_HOSPITALS = 2
_COUNTIES = 9  # a city
_VILLAGES = 2  # a township


def henan(facilities: int = 1300) -> list[Facility]:
    """Return a tree of so many facilities, parents first, the same each time; of all levels from 366 on."""
    return list(islice(_endless(), facilities))


def _endless() -> Iterator[Facility]:
    yield _made("INT", None, Level.INTERNATIONAL, Kind.CENTRE, "International Centre", "国际中心", "Etc/UTC")
    yield _made("CN", "INT", Level.NATIONAL, Kind.AUTHORITY, "China", "中国")
    yield _made(PROVINCE, "CN", Level.PROVINCE, Kind.AUTHORITY, "Henan", "河南省")
    for code, en, zh in CITIES:
        yield _made(code, PROVINCE, Level.CITY, Kind.AUTHORITY, en, zh)
    yield _made(JIYUAN[0], PROVINCE, Level.COUNTY, Kind.AUTHORITY, *JIYUAN[1:])
    yield from _hospitals((PROVINCE, "Henan", "河南省"), Level.CITY, _PROVINCE_HOSPITALS)
    for city in CITIES:
        yield from _hospitals(city, Level.COUNTY, _CITY_HOSPITALS)
    counties = [
        (f"{code}-{n:02}", f"{en} County {n:02}", f"{zh}县{n:02}")
        for code, en, zh in CITIES
        for n in range(1, _COUNTIES + 1)
    ]
    for county in counties:
        yield _made(county[0], county[0].split("-")[0], Level.COUNTY, Kind.AUTHORITY, *county[1:])
    counties.append(JIYUAN)
    for county in counties:
        yield from _hospitals(county, Level.TOWNSHIP, 1)
    for n in count(1):
        for county in counties:
            yield from _township(county, n)


def _hospitals(of: tuple[str, str, str], level: Level, number: int) -> Iterator[Facility]:
    code, en, zh = of
    for n in range(1, number + 1):
        yield _made(f"{code}-H{n}", code, level, Kind.HOSPITAL, f"{en} Hospital {n}", f"{zh}医院{n}")


def _township(county: tuple[str, str, str], n: int) -> Iterator[Facility]:
    code, en, zh = f"{county[0]}-{n:02}", f"{county[1]} Township {n:02}", f"{county[2]}乡{n:02}"
    yield _made(code, county[0], Level.TOWNSHIP, Kind.CLINIC, f"{en} Health Centre", f"{zh}卫生院")
    for v in range(1, _VILLAGES + 1):
        yield _made(
            f"{code}-{v}", code, Level.VILLAGE, Kind.CLINIC, f"{en} Village {v} Clinic", f"{zh}村{v}卫生室"
        )


def _made(
    code: str,
    parent: str | None,
    level: Level,
    kind: Kind,
    name_en: str,
    name_zh: str,
    time_zone: str = "Asia/Shanghai",
) -> Facility:
    return Facility(code, parent, level, kind, name_en, name_zh, time_zone, f"{code.lower()}@network.example")
